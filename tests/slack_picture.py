"""Block Kit as HTML, much as Slack draws it, so that messages and dialogs can be looked at."""

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
NAMES = {"U0ANN": "Ann", "U0BOB": "Bob", "U0EVE": "Eve", "U0BOT": "rediagnose"}
STYLE = """
body { margin: 0; background: #fff; color: #1d1c1d; font: 15px/22px Lato, "DejaVu Sans", Arial, sans-serif; }
.thread, .modal { width: 640px; padding: 16px 20px; box-sizing: border-box; }
.modal { border: 1px solid #ddd; border-radius: 10px; box-shadow: 0 4px 14px #0003; margin: 16px; width: 520px;
  }
.one { display: grid; grid-template-columns: 36px 1fr; gap: 10px; padding: 8px 0; }
.face { width: 36px; height: 36px; border-radius: 6px; background: #4a154b; color: #fff; text-align: center;
  line-height: 36px; }
.face.app { background: #c6302b; }
.who b { margin-right: 6px; } .who small, .context { color: #616061; font-size: 13px; line-height: 18px; }
.tag { background: #ddd; border-radius: 3px; font-size: 10px; padding: 1px 4px; color: #444; margin-right: 6px;
  }
h3 { font-size: 18px; line-height: 24px; margin: 6px 0; } h2 { font-size: 20px; margin: 0 0 10px; }
.section { display: flex; gap: 12px; justify-content: space-between; margin: 6px 0; overflow-wrap: anywhere; }
code { background: #f6f6f6; border: 1px solid #ddd; border-radius: 3px; color: #c01343; font: 12px "DejaVu Sans
  Mono", monospace;
  padding: 1px 3px; }
pre { background: #f6f6f6; border: 1px solid #ddd; border-radius: 4px; padding: 8px; font: 12px "DejaVu Sans
  Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: 6px 0; }
.at { background: #e8f5fa; color: #1264a3; border-radius: 3px; padding: 0 2px; }
button, .pick { background: #fff; border: 1px solid #bbb; border-radius: 4px; font: 700 13px Lato, "DejaVu
  Sans", sans-serif;
  padding: 4px 11px; margin: 2px 6px 2px 0; white-space: nowrap; align-self: start; }
button.primary { background: #007a5a; border-color: #007a5a; color: #fff; }
.foot { text-align: right; margin-top: 14px; }
"""


def page(inner: str) -> str:
    """A whole document."""
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{inner}"


def thread(messages: Sequence[Json]) -> str:
    """A thread's messages."""
    return f"<div class=thread>{''.join(map(_message, messages))}</div>"


def modal(view: Json) -> str:
    """A dialog."""
    foot = f"<button>{_plain(view['close'])}</button>"
    foot += f"<button class=primary>{_plain(view['submit'])}</button>" if "submit" in view else ""
    inner = f"<h2>{_plain(view['title'])}</h2>{blocks(view['blocks'])}<div class=foot>{foot}</div>"
    return f"<div class=modal>{inner}</div>"


def _message(one: Json) -> str:
    name = str(NAMES.get(one["user"], one["user"]))
    is_app = "bot_id" in one
    at = datetime.fromtimestamp(float(one["ts"]), UTC)
    tag = "<span class=tag>APP</span>" if is_app else ""
    who = f"<div class=who><b>{name}</b>{tag}<small>{at:%H:%M}</small></div>"
    body = blocks(one["blocks"]) if "blocks" in one else f"<div>{mrkdwn(one['text'])}</div>"
    face = f"<div class='face {'app' if is_app else ''}'>{name[0].upper()}</div>"
    return f"<div class=one>{face}<div>{who}{body}</div></div>"


def blocks(given: Sequence[Json]) -> str:
    """Blocks as HTML."""
    return "".join(map(_block, given))


def _block(one: Json) -> str:
    match one["type"]:
        case "header":
            return f"<h3>{_plain(one['text'])}</h3>"
        case "section":
            accessory = _element(one["accessory"]) if "accessory" in one else ""
            return f"<div class=section><div>{_text(one['text'])}</div>{accessory}</div>"
        case "context":
            return f"<div class=context>{' '.join(map(_text, one['elements']))}</div>"
        case "actions":
            return f"<div>{''.join(map(_element, one['elements']))}</div>"
        case "rich_text":
            return f"<pre>{html.escape(one['elements'][0]['elements'][0]['text'])}</pre>"
        case _:
            hint = html.escape(_placeholder(one["element"]))
            return f"<div><b>{_plain(one['label'])}</b><div class=pick>{hint}</div></div>"


def _placeholder(element: Json) -> str:
    return str(element.get("placeholder", {}).get("text", "Write something"))


def _element(one: Json) -> str:
    if one["type"] == "button":
        return f"<button class={one.get('style', 'plain')}>{_plain(one['text'])}</button>"
    return f"<span class=pick>{_plain(one['placeholder'])} ▾</span>"


def _text(one: Json) -> str:
    return _plain(one) if one["type"] == "plain_text" else mrkdwn(one["text"])


def _plain(one: Json) -> str:
    return html.escape(one["text"])


def mrkdwn(text: str) -> str:
    """Slack's markup as HTML; its entities are HTML's."""
    pieces = re.split(r"(`[^`\n]+`)", text)
    return "".join(f"<code>{one[1:-1]}</code>" if one.startswith("`") else _prose(one) for one in pieces)


def _prose(text: str) -> str:
    text = re.sub(r"<@(\w+)>", lambda found: f"\0{NAMES.get(found[1], found[1])}\1", text)
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", text)
    return text.replace("\0", "<span class=at>@").replace("\1", "</span>").replace("\n", "<br>")
