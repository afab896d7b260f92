"""Many clients at once on the loopback (standard library only).

  load.py PORT CLIENTS ROUNDS

Each client sends ROUNDS requests one after the other, streamed and whole in turn, with one of several steerings, and
tries again where it is told that the queue is full. Prints one JSON object: answers that came back right, wrong or not
at all, how often clients were told to wait, and the server's memory after the first round and at the end.
"""

import http.client
import json
import sys
import threading
import time

port, n_clients, n_rounds = (int(word) for word in sys.argv[1:4])
result = {"right": 0, "wrong": [], "told_to_wait": 0}
lock = threading.Lock()
expected = {}
SCALES = [None, 0, 15, -15]


def body_of(scale, stream):
    body = {"messages": [{"role": "user", "content": "What matters in life?"}], "max_tokens": 4, "temperature": 0,
            "stream": stream}
    if scale is not None:
        body["steering"] = {"vectors": [{"source": "axes.safetensors", "key": "care/shared", "scale": scale,
                                         "layers": "8-20"}]}
    return json.dumps(body)


def ask(scale, stream):
    """(status, text)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", "/v1/chat/completions", body_of(scale, stream), {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = response.read().decode()
        if response.status != 200:
            return response.status, response.headers.get("Retry-After", data)
        if not stream:
            return 200, json.loads(data)["choices"][0]["message"]["content"]
        events = [event[6:] for event in data.split("\n\n") if event.startswith("data: ")]
        assert events[-1] == "[DONE]", events[-1]
        return 200, "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1])
    finally:
        connection.close()


def memory():
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("process_resident_memory_bytes "):
            return int(float(line.split()[1]))


def work(number, rounds):
    for turn in range(rounds):
        scale = SCALES[(number + turn) % len(SCALES)]
        try:
            status, text = ask(scale, (number + turn) % 2 == 0)
            while status == 429:
                with lock:
                    result["told_to_wait"] += 1
                time.sleep(min(float(text), 0.5))
                status, text = ask(scale, False)
            with lock:
                if status == 200 and text == expected[scale]:
                    result["right"] += 1
                else:
                    result["wrong"].append([status, text, expected[scale]])
        except Exception as error:
            with lock:
                result["wrong"].append(repr(error))


def all_clients(rounds):
    threads = [threading.Thread(target=work, args=(number, rounds)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


for one in SCALES:
    expected[one] = ask(one, False)[1]
all_clients(1)
result["memory_first"] = memory()
all_clients(n_rounds - 1)
result["memory_last"] = memory()
print(json.dumps(result))
