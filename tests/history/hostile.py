"""Hostile states. Each must be shown, compared and exported, and never executed."""

import json

SCRIPT = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
ANSI = "\x1b[31mred\x1b]0;title\x07\x9b2J"
BIDI = "user\u202egnp.exe\u2066\u200b\ufeff"
SURROGATE = "\ud800 and \udfff"
FORMULA = '=HYPERLINK("http://evil.example")'
WIDE = "潮汐" * 60

READABLE = {
    "script in a value": json.dumps({"answer": SCRIPT}),
    "script in a name": json.dumps({SCRIPT: 1, "'\"><b>": {SCRIPT: [SCRIPT]}}),
    "template syntax": json.dumps({"{{ 7|add:7 }}": "{% load x %} {0} %(x)s %s"}),
    "one megabyte": json.dumps({f"field{i}": "x" * 900 for i in range(1100)}),
    "one megabyte in a string": json.dumps({"essay": "word " * 200_000}),
    "one megabyte of lists": json.dumps({"x": [[] for _ in range(330_000)]}, separators=(",", ":")),
    "long name": json.dumps({"n" * 100_000: "v" * 100_000}),
    "deep, and readable": '{"a":' * 150 + "1" + "}" * 150,
    "lone surrogates": json.dumps({"answer": SURROGATE, SURROGATE: 1}),
    "NUL": json.dumps({"answer": "a\0b", "\0": "\0"}),
    "terminal escapes": json.dumps({"answer": ANSI, ANSI: ANSI}),
    "controls that are no escapes": json.dumps({"answer": "\x7f\x85\u2028\u2029"}, ensure_ascii=False),
    "bidirectional overrides": json.dumps({BIDI: BIDI}, ensure_ascii=False),
    "formulas": json.dumps({"answer": FORMULA, FORMULA: "@SUM(1)"}),
    "wide characters": json.dumps({WIDE: WIDE}, ensure_ascii=False),
    "odd names": json.dumps({"": 1, "a.b": 2, "a[0]": 3, " ": 4, "__proto__": {"constructor": 5}, '"': 6}),
    "one name twice": '{"a":1,"a":2}',
    "4,300 digits": '{"a":' + "9" * 4300 + "}",
    "numbers alike": '{"a":1,"b":1.0,"c":true,"d":"1","e":-0.0,"f":0,"g":1e308,"h":5e-324}',
    "never seen": None,
    "emptied": "{}",
}

UNREADABLE = {
    "nothing": "",
    "white space": " \n",
    "cut off": '{"answer": "tid',
    "markup": SCRIPT,
    "terminal escapes in the raw": ANSI,
    "bidirectional overrides in the raw": BIDI,
    "formula in the raw": FORMULA,
    "wide characters in the raw": WIDE,
    "NaN": '{"a": NaN}',
    "infinity": '{"a": -Infinity, "b": 1e999}',
    "5,000 digits": '{"a":' + "9" * 5000 + "}",
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "100,000 levels in a field": '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
    "one megabyte that is no JSON": "x" * 1_000_000,
    "a list": "[1, 2]",
    "null": "null",
    "a string": '"text"',
    "byte order mark": "\ufeff{}",
}

STATES = READABLE | UNREADABLE
"""Stored text by its hostile property. These texts fit every database's columns."""

# No database takes them; they can reach Python in other ways, and nothing may fail on them.
UNSTORABLE = {
    "lone surrogate in the raw": f'{{"a":"{SURROGATE}"}}',
    "NUL in the raw": '{"a":"\0"}',
}
