"""What people and attackers type into fields: for every form, API body and CSV column."""

from __future__ import annotations

from typing import Final

HTML: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{1337*7331}}",
    "{% include '/etc/passwd' %}",
    "</title><svg onload=alert(1)>",
)
FORMULAS: Final = (
    "=1+1",
    '=HYPERLINK("http://evil.example","click")',
    "+62=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    " =1+1",
)
SQL: Final = (
    "' OR 1=1--",
    "'; DROP TABLE device; --",
    '" OR ""="',
    "1; SELECT pg_sleep(10)",
    "%' AND 1=0 UNION SELECT password_hash FROM person --",
    "\\'; DROP TABLE audit; --",
)
LINE_PROTOCOL: Final = ("x\nadmin v=1", "a,b=c d=1 0", "a\\", "site=a,b=c", "x\r\nsys,device=y v=1")
INFLUXQL: Final = ("x' OR 'a'='a", "x; DROP MEASUREMENT env", "/.*/", "x') ; DROP DATABASE kewang")
PATHS: Final = (
    "../../etc/passwd",
    "..\\..\\windows",
    "/etc/shadow",
    "..%2f..%2fetc",
    "a/../../b",
    "CON",
    "file.txt\x00.jpg",
)
UNSEEN: Final = (
    "\x00",
    "a\x00b",
    "a\u202egnp.exe",
    "\u2066left\u2069",
    "zero\u200bwidth",
    "\ufeffbom",
    "bell\x07",
    "esc\x1b[31m",
    "line\u2028end",
    "half\ud800",
    "\U000e0041tag",
    "vt\x0btab",
)
LONG: Final = ("x" * 10_000, "é" * 1000, "a" * 65, "9" * 5000, "-" * 129)
ODD: Final = (
    "",
    " ",
    "   \t ",
    "null",
    "None",
    "NaN",
    "Infinity",
    "1e999",
    "-0",
    "０１２",
    "ﬁ",
    "ß" * 33,
    "%s%n%x",
    "${jndi:ldap://x}",
)
TEXTS: Final = (*HTML, *FORMULAS, *SQL, *LINE_PROTOCOL, *INFLUXQL, *PATHS, *UNSEEN, *LONG, *ODD)
WRONG_TYPES: Final[tuple[object, ...]] = (
    None,
    True,
    7,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    10**400,
    [],
    ["a"],
    {},
    {"a": 1},
    b"bytes",
)
EVERYTHING: Final[tuple[object, ...]] = (*TEXTS, *WRONG_TYPES)
