"""Files as people have them, and what is in them: training and the client must both read them so."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any

Pairs = list[tuple[str, str]]

TWO: Pairs = [("bonjour", "fr"), ("hi, there", "en")]


@dataclass(frozen=True)
class TableCase:
    """A file by its ending and bytes, and its rows of `post` and `tags`."""

    name: str
    suffix: str
    content: bytes
    rows: Pairs
    odd_lines: list[int] = field(default_factory=list)
    """Lines on which rows begin that can't be read."""
    noted: str = ""
    """What the reader must say."""
    options: dict[str, Any] = field(default_factory=dict)


CASES = [
    TableCase("plain", ".csv", b'post,tags\nbonjour,fr\n"hi, there",en\n', TWO),
    TableCase("upper-case ending", ".CSV", b'post,tags\nbonjour,fr\n"hi, there",en\n', TWO),
    TableCase("byte order mark", ".csv", b'\xef\xbb\xbfpost,tags\nbonjour,fr\n"hi, there",en\n', TWO, [], "mark"),
    TableCase("gzip", ".csv.gz", gzip.compress(b'post,tags\nbonjour,fr\n"hi, there",en\n'), TWO, [], "gzip"),
    TableCase("old Mac's line ends", ".csv", b'post,tags\rbonjour,fr\r"hi, there",en\r', TWO),
    TableCase("mixed line ends", ".csv", b'post,tags\r\nbonjour,fr\r"hi, there",en\n', TWO),
    TableCase("no line end at the end", ".csv", b'post,tags\nbonjour,fr\n"hi, there",en', TWO),
    TableCase("empty lines", ".csv", b'\npost,tags\n\nbonjour,fr\n\n"hi, there",en\n\n', TWO),
    TableCase("semicolons", ".csv", b"post;tags\nbonjour;fr\nhi, there;en\n", TWO, [], "semicolons"),
    TableCase("tabs in .csv", ".csv", b"post\ttags\nbonjour\tfr\nhi, there\ten\n", TWO, [], "tabs"),
    TableCase("commas in .tsv", ".tsv", b'post,tags\nbonjour,fr\n"hi, there",en\n', TWO, [], "commas"),
    TableCase(
        "Excel's first line", ".csv", b"sep=;\r\npost;tags\r\nbonjour;fr\r\nhi, there;en\r\n", TWO, [], "semicolons"
    ),
    TableCase(
        "an unusual delimiter", ".csv", b"post^tags\nbonjour^fr\nhi, there^en\n", TWO, [], "'^'", {"delimiter": "^"}
    ),
    TableCase("Excel's empty columns", ".csv", b'post,tags,,\nbonjour,fr,,\n"hi, there",en,,\n', TWO),
    TableCase("cp1252", ".csv", "post;tags\nça va;fr\n".encode("cp1252"), [("ça va", "fr")], [], "cp1252"),
    TableCase("UTF-16", ".csv", "post\ttags\nça va\tfr\n".encode("utf-16"), [("ça va", "fr")], [], "utf-16"),
    TableCase(
        "UTF-16 without a mark", ".csv", "post,tags\nça va,fr\n".encode("utf-16-le"), [("ça va", "fr")], [], "utf-16"
    ),
    TableCase(
        "an encoding that is told",
        ".csv",
        "post,tags\nпривет,ru\n".encode("koi8-r"),
        [("привет", "ru")],
        options={"encoding": "koi8-r"},
    ),
    TableCase(
        "quotation marks within a cell",
        ".csv",
        b'post,tags\nsay "hi" now,en\n"a ""b"" c",en\n',
        [('say "hi" now', "en"), ('a "b" c', "en")],
    ),
    TableCase("line ends within a cell", ".csv", b'post,tags\n"two\nlines",en\n', [("two\nlines", "en")]),
    TableCase(
        "a long row first",
        ".csv",
        b"post,tags\nhello, world,en\nbonjour,fr\nsalut,fr\nhi,en\n",
        [("bonjour", "fr"), ("salut", "fr"), ("hi", "en")],
        [2],
    ),
    TableCase("a short row", ".csv", b"post,tags\nbonjour,fr\nalone\nhi,en\n", [("bonjour", "fr"), ("hi", "en")], [3]),
    TableCase("letters behind a closing mark", ".csv", b'post,tags\n"a" b,x\nbonjour,fr\n', [("bonjour", "fr")], [2]),
    TableCase(
        "quotation marks that join rows",
        ".tsv",
        b'post\ttags\n"hello\ten\nbonjour\tfr\nhi you"\ten\nlast\tfr\n',
        [("hello\ten\nbonjour\tfr\nhi you", "en"), ("last", "fr")],
        [],
        "line 2",
    ),
    TableCase(
        "lines within a cell that only look like rows",
        ".csv",
        b'post,tags\n"Dear all,\nplease, help",en\nbonjour,fr\n',
        [("Dear all,\nplease, help", "en"), ("bonjour", "fr")],
    ),
    TableCase(
        "quotation marks as text",
        ".tsv",
        b'post\ttags\n"hello\ten\nbonjour\tfr\nhi you"\ten\nlast\tfr\n',
        [('"hello', "en"), ("bonjour", "fr"), ('hi you"', "en"), ("last", "fr")],
        options={"quotes": "text"},
    ),
    TableCase("JSON lines", ".jsonl", b'{"post":"bonjour","tags":"fr"}\n{"post":"hi, there","tags":"en"}\n', TWO),
    TableCase("JSON lines with a mark", ".jsonl", b'\xef\xbb\xbf{"post":"bonjour","tags":"fr"}\n', TWO[:1], [], "mark"),
    TableCase("JSON lines, another ending", ".NDJSON", b'{"post":"bonjour","tags":"fr"}\r\n\r\n', TWO[:1]),
    TableCase(
        "a broken line in the middle",
        ".jsonl",
        b'{"post":"bonjour","tags":"fr"}\n{oops\n{"post":"hi, there","tags":"en"}\n',
        TWO,
        [2],
    ),
    TableCase("a list among the objects", ".jsonl", b'{"post":"bonjour","tags":"fr"}\n[1]\n', TWO[:1], [2]),
]
"""Rows, odd lines and notes are the same whoever reads."""

REFUSED = [
    TableCase("nothing", ".csv", b"", []),
    TableCase("two columns of one name", ".csv", b"post,post\n1,2\n", []),
    TableCase("a quotation mark that is never closed", ".csv", b'post,tags\na,b\n1,"never\nclosed,x\n', []),
    TableCase("cut-off gzip", ".csv.gz", gzip.compress(b"post,tags\na,b\n" * 9)[:-9], []),
    TableCase("another encoding than was told", ".csv", b"post,tags\n\xff,x\n", [], options={"encoding": "utf-8"}),
    TableCase("mostly odd rows", ".csv", b"post,tags\n1,2,3\n4,5,6\n7,8\n", []),
    TableCase("broken JSON", ".jsonl", b'{"post":\n', []),
    TableCase("a workbook", ".xlsx", b"PK\x03\x04\x14\x00\x06\x00", [], noted="save the sheet as CSV"),
    TableCase("a workbook of another name", ".csv", b"PK\x03\x04\x14\x00", [], noted="save the sheet as CSV"),
    TableCase("an old workbook", ".xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", [], noted="save the sheet as CSV"),
    TableCase("Parquet of another name", ".csv", b"PAR1\x15\x04\x15\x04", [], noted="a Parquet file"),
]
"""Nobody reads these; `noted` is said of them."""
