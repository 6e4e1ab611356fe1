"""What both client scripts share: one JSON line a check on standard output, and a way to have the connection cut."""

import json
import sys
import traceback

PROMPT = "a red heart"


def report(check: str, ok: bool, detail: object = "") -> None:
    print(json.dumps({"check": check, "ok": bool(ok), "detail": str(detail)}), flush=True)


def request_cut() -> None:
    """Asks the test that started this script to reset every connection of the relay."""
    print(json.dumps({"request": "cut"}), flush=True)


async def attempt(check: str, coroutine) -> None:
    """Runs one check; an exception is that check's failure and no other's."""
    try:
        detail = await coroutine
        report(check, True, detail or "")
    except Exception:
        report(check, False, traceback.format_exc()[-1500:])


def arguments() -> tuple[str, str, str]:
    """Port, API key and model, as the test passes them."""
    return sys.argv[1], sys.argv[2], sys.argv[3]
