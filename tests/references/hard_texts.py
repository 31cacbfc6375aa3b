"""Texts that tokenizers disagree about: scripts, accents, joiners, control characters, nothing, very long ones."""

from __future__ import annotations

PHRASES = (
    "How do I undo my last commit?",
    "don't stop, e.g. C++/C# (v2.0)!",
    "null_pointer->value == 0x7fff && x[i]++;",
    "Café NAÏVE Ångström façade œuvre straße",
    "İstanbul ışık ÇĞÖŞÜ",
    "Zażółć gęślą jaźń",
    "Příliš žluťoučký kůň",
    "Tiếng Việt có dấu",
    "Почему запрос ничего не возвращает? Ёжик й",
    "Чому ґанок їжі?",
    "Γιατί δεν λειτουργεί; Ἀρχή",
    "لماذا لا يعمل؟ مُحَمَّد",
    "שלום עולם שָׁלוֹם",
    "मुझे यह त्रुटि क्यों मिल रही है?",
    "আমি বাংলায় লিখি",
    "தமிழ் எழுத்து",
    "ทำไมปุ่มนี้ไม่ทำงาน",
    "ភាសាខ្មែរ",
    "မြန်မာဘာသာ",
    "为什么这个查询没有结果?",
    "繁體中文測試",
    "なぜこのループは終わらないのですか。",
    "カタカナ と ひらがな",
    "왜 이 버튼이 작동하지 않나요?",
    "ქართული ენა",
    "Հայերեն լեզու",
    "አማርኛ ቋንቋ",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ",
    "deploy failed 😀 👩‍💻 again!!",
    "👨‍👩‍👧‍👦👍🏽🏳️‍🌈🇩🇪",
    "x² + y³ ≤ ½ ∑ √π ≠ ∞",
    "ﬁne ﬂow Ⅷ ①②③ ㎏ ㍿",
    "ＦＵＬＬ ｗｉｄｔｈ １２３",
    "𝕳𝖊𝖑𝖑𝖔 𝓌𝑜𝓇𝓁𝒹",
    "``quoted'' \"text\" ''here``",
    "a\u0301 e\u0300 o\u0308 n\u0303 decomposed",
)
MARKS = (
    "\u200b", "\u200d", "\u200c", "\u2060", "\ufeff", "\u00ad", "\u00a0", "\u2003", "\u3000", "\u2028", "\u2029",
    "\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "\u0301", "\u202e", "\ufffd", "\ue000", "\u0378", "\t", "\r\n",
    "\U000e0001", "\U0001f600", "▁", "##ing", "<s>", "</s>", "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<unk>",
)  # fmt: skip
REPEATED = (("a", 250), ("word ", 300), ("語", 200), ("😀", 90), ("!", 500), ("ab\u200bcd ", 120), ("1234567890", 60))

TEXTS: tuple[str, ...] = (
    "",
    " ",
    " \t\n ",
    *PHRASES,
    *(phrase.upper() for phrase in PHRASES),
    *(f"  {phrase}  {phrase[::-1]} " for phrase in PHRASES),
    *MARKS,
    *(f"before{mark}after" for mark in MARKS),
    *(f"one {mark} two" for mark in MARKS),
    *(piece * times for piece, times in REPEATED),
    " ".join(PHRASES),
)
