"""What the Python SDK finds at a local Ably: one line a check. `npm run test:sdks` runs it."""

import asyncio
import json
import os
import urllib.request

from ably import AblyRealtime, AblyRest
from ably.types.presence import PresenceAction

ADDRESS = os.environ["SDKS_ADDRESS"]
HOST, PORT = ADDRESS.split(":")
KEY = os.environ["SDKS_KEY"]
CONTROL_SECRET = os.environ["SDKS_CONTROL_SECRET"]
PATIENCE = 20
PAYLOADS = [("text", "héllo ✓"), ("json", {"n": [1, 2.5, None]}), ("binary", b"\x00\xff\x7f")]


def control(method: str, path: str, body: dict | None = None) -> dict:
    """Asks the local Ably to misbehave, or no longer to."""
    headers = {"authorization": f"Bearer {CONTROL_SECRET}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{ADDRESS}/control{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or b"{}")


async def soon(awaitable):
    return await asyncio.wait_for(awaitable, PATIENCE)


async def until(condition):
    """Waits for what no event tells of."""

    async def poll():
        while not condition():
            await asyncio.sleep(0.01)

    await soon(poll())


def same(found, expected):
    assert found == expected, f"expected {expected!r}, found {found!r}"


class Checks:
    """The checks in one of the two formats, in order: later ones build on earlier ones."""

    def __init__(self, form: str):
        self.form = form
        self.binary = form == "msgpack"
        self.client_id = f"python-{form}"
        self.received = []

    async def run(self) -> bool:
        self.rest = AblyRest(
            KEY, client_id=self.client_id, endpoint=HOST, port=int(PORT), tls=False, use_token_auth=True,
            use_binary_protocol=self.binary,
        )

        async def token(_params):
            return await self.rest.auth.request_token()

        # The realtime client of 3.1.4 ignores `port`, so it is part of the endpoint.
        self.client = AblyRealtime(
            auth_callback=token, client_id=self.client_id, endpoint=ADDRESS, tls=False,
            use_binary_protocol=self.binary, disconnected_retry_timeout=200,
        )
        self.channel = self.client.channels.get(self.client_id)
        good = True
        for check in (
            self.connect, self.subscribe, self.publish, self.presence, self.history, self.reads_ably_js, self.resume,
        ):
            name = f"{self.form} {check.__name__.replace('_', ' ')}"
            try:
                await check()
                print(f"ok {name}", flush=True)
            except Exception as error:
                print(f"failed {name}: {type(error).__name__} {error}", flush=True)
                good = False
        await soon(self.client.close())
        await self.rest.close()
        return good

    async def connect(self):
        await until(lambda: self.client.connection.state == "connected")
        assert await soon(self.client.connection.ping()) >= 0

    async def subscribe(self):
        await soon(self.channel.subscribe(lambda message: self.received.append(message)))
        same(self.channel.state, "attached")

    async def publish(self):
        for name, data in PAYLOADS:
            await soon(self.channel.publish(name, data))
        await until(lambda: len(self.received) >= len(PAYLOADS))
        same([(message.name, message.data) for message in self.received], PAYLOADS)
        same({message.client_id for message in self.received}, {self.client_id})
        same({message.connection_id for message in self.received},
             {self.client.connection.connection_manager.connection_id})

    async def presence(self):
        residents = self.client.channels.get("residents")
        events = []
        await soon(residents.presence.subscribe(
            lambda event: event.client_id == self.client_id and events.append((event.action, event.data))))

        async def members():
            return {member.client_id: member.data for member in await soon(residents.presence.get())}

        resident = {"resident": {"from": "ably-js"}}
        same(await members(), resident)
        await soon(residents.presence.enter("in"))
        await until(lambda: len(events) == 1)
        same(await members(), resident | {self.client_id: "in"})
        listed = await soon(self.rest.channels.get("residents").presence.get())
        same({member.client_id: member.data for member in listed.items}, resident | {self.client_id: "in"})
        await soon(residents.presence.update({"still": "in"}))
        await soon(residents.presence.leave("out"))
        await until(lambda: len(events) == 3)
        same(events, [(PresenceAction.ENTER, "in"), (PresenceAction.UPDATE, {"still": "in"}),
                      (PresenceAction.LEAVE, "out")])
        same(await members(), resident)

    async def history(self):
        page = await soon(self.rest.channels.get(self.client_id).history(limit=2))
        found = [(message.name, message.data) for message in page.items]
        assert page.has_next(), "there is a second page"
        page = await soon(page.next())
        found += [(message.name, message.data) for message in page.items]
        same(found, PAYLOADS[::-1])

    async def reads_ably_js(self):
        page = await soon(self.rest.channels.get("persisted:from-ably-js").history(direction="forwards"))
        same([(message.name, message.data) for message in page.items], PAYLOADS)

    async def resume(self):
        before = self.client.connection.connection_manager.connection_id
        self.received.clear()
        refusal = control("POST", "/faults", {"kind": "refuse-connections", "clientId": self.client_id})
        dropped = control("POST", "/faults", {"kind": "drop-connections", "clientId": self.client_id})
        same(dropped["fired"], 1)
        await until(lambda: self.client.connection.state != "connected")
        await soon(self.rest.channels.get(self.client_id).publish("missed", "1"))
        control("GET", f"/faults/{refusal['id']}?fired=1")
        control("DELETE", f"/faults/{refusal['id']}")
        await until(lambda: self.client.connection.state == "connected")
        await soon(self.channel.publish("after", "2"))
        await until(lambda: len(self.received) >= 2)
        same([message.data for message in self.received], ["1", "2"])
        same(self.client.connection.connection_manager.connection_id, before)


async def main() -> int:
    results = [await Checks(form).run() for form in ("json", "msgpack")]
    return 0 if all(results) else 1


raise SystemExit(asyncio.run(main()))
