"""HTML documents made at random, each from its own seed, of pieces that change the state of an HTML parser."""

from __future__ import annotations

from random import Random

_RAW = ("style", "title", "textarea", "iframe", "xmp", "noscript", "noembed", "noframes")
_FOREIGN = (
    "<svg>", "</svg>", "<math>", "</math>", "<svg><desc>", "<svg><foreignObject>", "</foreignObject>", "<math><mtext>",
    "<math><annotation-xml encoding=text/html>", "<mglyph>", "<svg><style>", "<svg><title>", "<svg/>", "<p>", "</p>",
)  # fmt: skip
_CONTAINERS = (
    "<table>", "</table>", "<tr>", "<td>", "<caption>", "<select>", "<option>", "</select>", "<template>",
    "</template>", "<form>", "</form>", "<button>", "<frameset>", "</frameset>", "<body>", "<head>", "</head>",
    "<object>", "<a>", "<b>", "<div>", "</div>", "<br/>", "<plaintext>", "<html>", "<!DOCTYPE html>",
    '<!DOCTYPE html PUBLIC "', "<selectedcontent>", "<image>", "<listing>", "<pre>",
)  # fmt: skip
_SCRIPTS = (
    "<script>alert(1)</script>", "<script>", "</script>", "<SCRIPT\x0csrc=x>y</sCript\t>", "<script/x>",
    "</script x>", '<script a="</script>">', "<script><!--", "<script><!--<script></script>-->", "<svg><script/>",
    "<svg><script>x</script></svg>", "<scr", "ipt>", "<script", "<script\n", "<x<script>",
)  # fmt: skip
_COMMENTS = (
    "<!--", "-->", "--!>", "<!-->", "<!--->", "<!-- x -->", "-", "--", "<!", "<!-", "<!-- <script>y</script> -->",
    "<!--[if mso]>", "<![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->", "<![if x]>", "<![endif]>",
)  # fmt: skip
_SECTIONS = ("<![CDATA[", "]]>", "]]", "]>", "<![cdata[", "<?", "?>", "<?php ", "</ ", "</>", "<![", "<!x ")
_ATTRIBUTES = (
    '<a title="', "<a title='", '">', "'>", '"', "'", "=", ">", "<a b=c ", '<p x=">">', "<a a=1 a='<script>'>",
    "<a title='<script>x</script>'>", "<i =", "<img src=x `", "<a t=`", "<a\x0cb\r=\n", "</a title='", "/>", " / ",
)  # fmt: skip
_TEXT = (
    "x", " ", "\n", "\r", "\x0c", "\t", "\x0b", "&lt;script&gt;", "&#60;script>", "&amp", "&", "é", "日本", "<", "</",
    "\0", "alert(1)",
)  # fmt: skip
#: Beginnings after which some readers take the text for something else, each with the end of that.
_ENDS = (
    *((f"<{tag}>", f"</{tag}>") for tag in _RAW),
    *((f"<{tag}><{other}>", f"</{other}>") for tag in _RAW for other in _RAW),
    *((start, "]]>") for start in ("<![CDATA[>", "<![CDATA[", "<![CDATA[ x >", "<![CDATA[]>")),
    ("<plaintext>", "</plaintext>"), ("<!--", "-->"), ("<!-- ", "--!>"), ("<?", "?>"), ("<!x", ">"), ("</ ", ">"),
    ("<script>", "</script>"), ("<p a='", "'>"), ("<template>", "</template>"),
)  # fmt: skip
_COVERS = (("<!--", "-->"), ('<a title="', '">'), ("<a title='", "'>"), ("</a title='", "'>"), ("<![CDATA[", "]]>"))
#: Code that runs without a script element.
_ACTIVE = (
    "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg/onload=alert(1)//", "<body onload='x'>",
    '<a href="java&#x73;cript:alert(1)">', "<a href=' &Tab;java\nscript&colon;x'>", "<a href=\x01javascript:x>",
    "<a href=vbscript:x>", '<a href="data:text/html,<script>x</script>">', "<img src=data:image/svg+xml,x>",
    '<iframe srcdoc="<script>x</script>">', "<iframe src=javascript:x></iframe>", "<base href=//evil.example/>",
    '<meta http-equiv=refresh content="0;url=javascript:x">', "<meta charset=utf-7>", "<link rel=stylesheet href=x>",
    "<style>@import 'x';</style>", "<p style='background:url(javascript:x)'>", "<div style=width:expression(x)>",
    "<object data=x.swf></object>", "<embed src=x>", "<applet code=x>", "<form action=javascript:x>",
    "<button formaction=javascript:x>", "<input autofocus onfocus=x>", "<math href=javascript:x>",
    "<svg><a xlink:href=javascript:x>", "<svg><animate attributeName=href to=javascript:x>",
    "<video poster=javascript:x>",
    "<body background=javascript:x>", "<table background=' javascript:x'>", "<a href=http://x.example/ onclick=x>",
    "<details open ontoggle=x>", "<a href=x href=javascript:x>", "<marquee onstart=x>",
    "<img srcset='javascript:x 1x'>",
    "<a title='a\"><img src=x onerror=alert(1)>'>", "<p title=`><img src=x onerror=x>`>", "<a ping=x href=mailto:x>",
    "<img alt='&quot;><img src=x onerror=x>'>", "<q cite=javascript:x>", "<frame src=javascript:x>",
    "<keygen autofocus>",
    "<noscript><p title=\"</noscript><img src=x onerror=x>\">", "<a href=\\\\evil\\x>", "<img src=file:///x>",
)  # fmt: skip
_NAMES = ("a", "img", "p", "td", "body", "svg", "iframe", "font")
_LINKS = ("href", "src", "background", "HREF", "xlink:href", "action", "onclick", "style")
_QUOTED = (
    "'javascript:x'", '"&#106avascript:x"', "JaVaScRiPt:x", "'java\tscript:x'", "'&#1;javascript:x'",
    "'\0javascript:x'",
    "' data:x'", "'http://x.example/?a=1&copy=2&amp;b'", "cid:x", "'jav&#x0A;ascript:x'",
    "'//x'", "'#x'", "vbscript&colon;x",
)  # fmt: skip
_GROUPS = (_FOREIGN, _CONTAINERS, _SCRIPTS, _COMMENTS, _SECTIONS, _ATTRIBUTES, _TEXT)


def document(seed: int) -> str:
    """Return the document of `seed`: pieces in any order, in half of them one that hides a script behind another."""
    random = Random(seed)
    pieces = [_piece(random) for _ in range(random.randrange(1, 12))]
    if random.randrange(2):
        pieces.insert(random.randrange(len(pieces)), _hidden(random))
    return "".join(pieces)


def active_document(seed: int) -> str:
    """Return the document of `seed` with elements, attributes and links in it that act without a script."""
    random = Random(seed)
    pieces = [random.choice(_ACTIVE) if random.randrange(2) else _piece(random) for _ in range(random.randrange(2, 10))]
    if random.randrange(3) == 0:
        pieces.insert(random.randrange(len(pieces)), _hidden(random))
    if random.randrange(3) == 0:
        pieces.append(f"<{random.choice(_NAMES)} {random.choice(_LINKS)}={random.choice(_QUOTED)}>")
    return "".join(pieces)


def _hidden(random: Random) -> str:
    """Return documents that end inside a construct that not all readers know, with a script behind it."""
    opened, closed = random.choice(_ENDS)
    around = random.choice(
        ("", "", "<svg>", "<math>", "<svg><desc>", "<select>", "<table>", "<noscript>", "<frameset>")
    )
    cover, uncovered = random.choice(_COVERS)
    between = [random.choice(("", "", "", " ", "x", _part(random))) for _ in range(4)]
    script = random.choice(("<script>alert(1)</script>", "<SCRIPT/src=x></script>", "<script\n>x"))
    return around + opened + between[0] + cover + between[1] + closed + between[2] + script + between[3] + uncovered


def _piece(random: Random) -> str:
    kind = random.randrange(8)
    if kind == 0:
        return _tag(random)
    if kind == 1:
        return f"<{random.choice(_RAW)}>{_part(random)}</{random.choice(_RAW)}>"
    return _part(random)


def _part(random: Random) -> str:
    return random.choice(random.choice(_GROUPS))


def _tag(random: Random) -> str:
    name = random.choice(_RAW)
    name = name.upper() if random.randrange(8) == 0 else name
    return random.choice(
        (f"<{name}>", f"</{name}>", f"<{name}/>", f"<{name} a='", f"</{name} ", f"</{name}x>", f"<{name}\n>")
    )
