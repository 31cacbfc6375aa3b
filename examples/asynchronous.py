"""Many requests at once, without threads: .venv/bin/python examples/asynchronous.py"""

import asyncio
import os

from retort_client import AsyncClient, Prediction

TEXTS = [f"how do I undo my last {number} commits" for number in range(2, 12)]


async def main(url: str) -> None:
    async with AsyncClient(url) as client:
        answers = await asyncio.gather(*(client.predict([text]) for text in TEXTS))
        print([answer.label for [answer] in answers if isinstance(answer, Prediction)])

        job = await client.submit(TEXTS * 100)  # big jobs are read while they run
        read = [answer async for answer in job.results()]
        print(f"job {job.id}: {len(read)} answers")


asyncio.run(main(os.environ.get("RETORT_URL", "http://127.0.0.1:8000")))
