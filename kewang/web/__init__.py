"""How our small web servers behave alike: bounded connections, their own end. For gateway and provisioning."""
