"""Whether a sensor's values can be believed: a flag beside each doubtful value, the value itself always untouched.

Methods: flat line, spike and rate of change as in the real-time quality tests of U.S. IOOS QARTOD (Manual for
Real-Time Quality Control of In-situ Temperature and Salinity Data, tests 6 to 8), with the median absolute deviation of
Hampel's identifier as the scale; drift by comparison with the sensors of the same quantity on the same box.
"""
