"""Who a device is and where it stands: placements now; inventory, certificates and enrolment later. Never telemetry."""
