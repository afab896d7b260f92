"""Drives a valuelens server with OpenAI's own Python client, unchanged.

  openai_client.py BASE_URL KEY     BASE_URL ends in /v1; the server has axes.safetensors with care/shared

Prints `ok NAME` for each check; the first that fails is an exception and exit status 1.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import openai

base_url, key = sys.argv[1:3]
client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=120)
model = client.models.list().data[0].id


def steering(scale):
    return {"steering": {"vectors": [{"source": "axes.safetensors", "key": "care/shared", "scale": scale,
                                      "layers": "8-20"}]}}


def chat(question="What matters in life?", extra=None, **options):
    options = {"max_tokens": 10, "temperature": 0, **options}
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}],
                                          extra_body=extra, **options)


def expect(kind, words, work):
    try:
        work()
    except kind as error:
        assert words in str(error), f"{error} does not say: {words}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def models():
    assert client.models.retrieve(model).owned_by == "valuelens"


def whole_and_streamed_agree():
    whole = chat()
    assert whole.object == "chat.completion"
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].finish_reason in ("stop", "length")
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    text, usage, finish = "", None, None
    for chunk in chat(stream=True, stream_options={"include_usage": True}):
        assert chunk.object == "chat.completion.chunk"
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason
    assert usage == whole.usage, (usage, whole.usage)


def the_stream_helper_reads_it():
    # It takes an answer that was cut at its longest for an error: this one ends at a stop string.
    text = chat("Tell me about rivers.", max_tokens=20).choices[0].message.content
    stop = text[len(text) // 2:][:3]
    with client.chat.completions.stream(model=model, messages=[{"role": "user", "content": "Tell me about rivers."}],
                                        max_tokens=20, temperature=0, stop=stop) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta"} <= kinds, kinds
    assert final.choices[0].message.content == text[:text.index(stop)]


def logprobs():
    answer = chat(logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert "".join(token.token for token in content) == answer.choices[0].message.content
    assert all(len(token.top_logprobs) == 3 and token.logprob <= 0 for token in content)


def several_answers_seeds_and_stops():
    first = chat(n=2, temperature=1.3, seed=5, max_completion_tokens=10, max_tokens=openai.omit)
    second = chat(n=2, temperature=1.3, seed=5, max_completion_tokens=10, max_tokens=openai.omit)
    assert [c.message.content for c in first.choices] == [c.message.content for c in second.choices]
    assert first.choices[0].message.content != first.choices[1].message.content
    text = chat(max_tokens=20).choices[0].message.content
    stop = text[len(text) // 2:][:4]
    stopped = chat(max_tokens=20, stop=[stop])
    assert stopped.choices[0].message.content == text[:text.index(stop)]
    assert stopped.choices[0].finish_reason == "stop"


def completions():
    answer = client.completions.create(model=model, prompt=["The sky is", "Two and two"], max_tokens=4, temperature=0,
                                       logprobs=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert len(answer.choices[0].logprobs.tokens) == 4
    text = "".join(chunk.choices[0].text for chunk in client.completions.create(
        model=model, prompt="The sky is", max_tokens=4, temperature=0, stream=True))
    assert text == answer.choices[0].text


def concurrent_requests_are_steered_each_for_itself():
    scales = [0, 20, -20, 40]
    alone = [chat(extra=steering(scale)).choices[0].message.content for scale in scales]
    assert alone[0] == chat().choices[0].message.content, "scale 0 is the model as it is"
    assert len(set(alone)) > 1, "the steering does something"
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda scale: chat(extra=steering(scale)).choices[0].message.content, scales * 3))
    assert together == alone * 3


def errors_are_the_clients_own():
    expect(openai.BadRequestError, "there is no source", lambda: chat(
        extra={"steering": {"vectors": [{"source": "../axes.safetensors", "key": "care/shared"}]}}))
    error = expect(openai.BadRequestError, "unknown field nonsense", lambda: chat(extra={"nonsense": 1}))
    assert error.param == "nonsense" and error.type == "invalid_request_error", error.body
    expect(openai.BadRequestError, "tools is not supported", lambda: chat(
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]))
    expect(openai.NotFoundError, "there is no model", lambda: client.chat.completions.create(
        model="gpt-4", messages=[{"role": "user", "content": "Hi"}]))
    other = openai.OpenAI(base_url=base_url, api_key="wrong", max_retries=0)
    expect(openai.AuthenticationError, "API key", other.models.list)


def an_async_client():
    import asyncio

    async def ask():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=key) as many:
            answers = await asyncio.gather(*[many.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=3, temperature=0)
                for _ in range(4)])
        return {answer.choices[0].message.content for answer in answers}

    assert len(asyncio.run(ask())) == 1


for check in (models, whole_and_streamed_agree, the_stream_helper_reads_it, logprobs, several_answers_seeds_and_stops,
              completions, concurrent_requests_are_steered_each_for_itself, errors_are_the_clients_own,
              an_async_client):
    check()
    print("ok", check.__name__, flush=True)
