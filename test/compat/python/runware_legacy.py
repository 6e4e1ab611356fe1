"""The PyPI package `runware` against a started server: port, API key and model are the arguments."""

import asyncio

from checks import PROMPT, arguments, attempt, request_cut
from runware import IImageInference, Runware

PORT, KEY, MODEL = arguments()
URL = f"ws://127.0.0.1:{PORT}/v1"


def request(**changes) -> IImageInference:
    fields = {"model": MODEL, "positivePrompt": PROMPT, "width": 128, "height": 128, "steps": 2, "numberResults": 1}
    return IImageInference(**{**fields, **changes})


async def wrong_key() -> str:
    client = Runware(api_key="this-key-is-not-known-to-the-server", url=URL)
    try:
        await client.connect()
        await client.imageInference(request())
    except Exception as error:
        assert "invalid api key" in str(error).lower(), repr(error)
        return str(error)
    finally:
        await client.disconnect()
    raise AssertionError("a wrong key was accepted")


async def two_results(client: Runware) -> str:
    images = await client.imageInference(request(numberResults=2, seed=7))
    assert len(images) == 2, images
    assert len({image.imageUUID for image in images}) == 2
    assert sorted(image.seed for image in images) == [7, 8]
    assert all(image.imageURL for image in images)
    return images[0].imageURL


async def error_with_code_and_parameter(client: Runware) -> str:
    bad = client.imageInference(request(model="nobody:has@this"))
    good = client.imageInference(request())
    error, images = await asyncio.gather(bad, good, return_exceptions=True)
    assert getattr(error, "code", None) == "modelNotFound" or "model" in str(error).lower(), repr(error)
    assert error.error_data["parameter"] == "model", repr(error)
    assert not isinstance(images, Exception) and len(images) == 1, repr(images)
    return repr(error)


async def hundred_in_parallel(client: Runware) -> str:
    calls = [client.imageInference(request(seed=1000 + k)) for k in range(100)]
    answers = await asyncio.gather(*calls)
    assert [answer[0].seed for answer in answers] == [1000 + k for k in range(100)]
    return "100 answers at the right callers"


async def drop_and_resume(client: Runware) -> str:
    call = asyncio.create_task(client.imageInference(request(steps=30, seed=5, width=256, height=256)))
    await asyncio.sleep(0.3)
    request_cut()
    images = await asyncio.wait_for(call, 60)
    assert len(images) == 1 and images[0].seed == 5, images
    return images[0].imageUUID


async def async_polling(client: Runware) -> str:
    images = await client.imageInference(request(deliveryMethod="async", numberResults=2, seed=3))
    task = images.taskUUID if not isinstance(images, list) else images[0].taskUUID
    answer = await asyncio.wait_for(client.getResponse(task, numberResults=2), 30)
    assert len(answer) == 2, answer
    return str(task)


async def main() -> None:
    await attempt("wrong key", wrong_key())
    client = Runware(api_key=KEY, url=URL)
    await attempt("connect", client.connect())
    await attempt("two results", two_results(client))
    await attempt("error with code and parameter fails nobody else", error_with_code_and_parameter(client))
    await attempt("100 parallel tasks", hundred_in_parallel(client))
    await attempt("async and getResponse", async_polling(client))
    await attempt("drop and resume", drop_and_resume(client))
    await client.disconnect()


asyncio.run(main())
