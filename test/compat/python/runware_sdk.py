"""The PyPI package `runware-sdk` against a started server: port, API key and model are the arguments."""

import asyncio

from checks import PROMPT, arguments, attempt, request_cut
from runware import Runware

PORT, KEY, MODEL = arguments()


def client_for(key: str, transport: str = "websocket") -> Runware:
    return Runware(
        api_key=key,
        transport=transport,
        ws_base_url=f"ws://127.0.0.1:{PORT}/v1",
        http_base_url=f"http://127.0.0.1:{PORT}/v1",
        timeout=120_000,
        poll_timeout=120_000,
    )


def request(**changes) -> dict:
    fields = {
        "taskType": "imageInference",
        "model": MODEL,
        "positivePrompt": PROMPT,
        "width": 128,
        "height": 128,
        "steps": 2,
    }
    return {**fields, **changes}


async def wrong_key(transport: str) -> str:
    client = client_for("this-key-is-not-known-to-the-server", transport)
    try:
        await client.connect()
        await client.run(request())
    except Exception as error:
        assert getattr(error, "code", None) == "auth", repr(error)
        return str(error)
    finally:
        await client.close()
    raise AssertionError("a wrong key was accepted")


async def two_results(client: Runware, **changes) -> str:
    items = await client.run(request(numberResults=2, seed=7, **changes))
    assert len(items) == 2, items
    assert len({item["imageUUID"] for item in items}) == 2, items
    assert sorted(item["seed"] for item in items) == [7, 8], items
    return str(items[0].get("imageURL"))


async def base64_sync(client: Runware) -> str:
    items = await client.run(request(deliveryMethod="sync", outputType="base64Data", numberResults=2))
    assert len(items) == 2 and all(item["imageBase64Data"] for item in items)
    return "base64"


async def error_with_code_and_parameter(client: Runware) -> str:
    bad = client.run(request(model="nobody:has@this"))
    good = client.run(request())
    error, items = await asyncio.gather(bad, good, return_exceptions=True)
    assert getattr(error, "parameter", None) == "model", repr(error)
    assert error.code in ("validation", "notFound"), repr(error)
    assert not isinstance(items, Exception) and len(items) == 1, repr(items)
    return repr(error)


async def hundred_in_parallel(client: Runware) -> str:
    answers = await asyncio.gather(*[client.run(request(deliveryMethod="sync", seed=1000 + k)) for k in range(100)])
    assert [answer[0]["seed"] for answer in answers] == [1000 + k for k in range(100)]
    return "100 answers at the right callers"


async def drop_async(client: Runware) -> str:
    call = asyncio.create_task(client.run(request(steps=30, seed=5, width=256, height=256)))
    await asyncio.sleep(0.5)
    request_cut()
    items = await asyncio.wait_for(call, 60)
    assert len(items) == 1 and items[0]["seed"] == 5, items
    return str(items[0]["imageUUID"])


async def drop_sync_stays_answerable(client: Runware) -> str:
    task = "5f0c9a3e-6d0f-4f0e-9f57-1a64a41a52f1"
    call = asyncio.create_task(
        client.run(request(deliveryMethod="sync", steps=30, seed=6, width=256, height=256, taskUUID=task))
    )
    await asyncio.sleep(0.5)
    request_cut()
    try:
        items = await asyncio.wait_for(call, 60)
        assert items[0]["seed"] == 6, items
        return "resolved by the replay"
    except Exception as error:
        assert "lost" in str(error).lower() or getattr(error, "code", "") == "connection", repr(error)
    for _ in range(120):
        answer = await client.get_response({"taskUUID": task})
        items = answer if isinstance(answer, list) else [answer]
        if items and items[0].get("status") == "success":
            assert items[0]["seed"] == 6
            return "answered by getResponse"
        await asyncio.sleep(0.25)
    raise AssertionError("the task was lost")


async def main() -> None:
    await attempt("wrong key", wrong_key("websocket"))
    client = client_for(KEY)
    await attempt("connect", client.connect())
    await attempt("two results", two_results(client))
    await attempt("two results, pushed", two_results(client, deliveryMethod="sync"))
    await attempt("base64, pushed", base64_sync(client))
    await attempt("error with code and parameter fails nobody else", error_with_code_and_parameter(client))
    await attempt("100 parallel tasks", hundred_in_parallel(client))
    await attempt("drop and resume of an async call", drop_async(client))
    await attempt("drop of a sync call stays answerable", drop_sync_stays_answerable(client))
    await client.close()

    rest = client_for(KEY, "rest")
    await attempt("REST: wrong key", wrong_key("rest"))
    await attempt("REST: connect", rest.connect())
    await attempt("REST: two results by polling", two_results(rest))
    await attempt("REST: two results in the answer", two_results(rest, deliveryMethod="sync"))
    await attempt("REST: error with code and parameter", error_with_code_and_parameter(rest))
    await rest.close()


asyncio.run(main())
