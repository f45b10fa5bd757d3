# SPDX-License-Identifier: MIT
"""A broker in this process, so that the simulator needs nothing installed: amqtt.

amqtt 0.12.1 is mended here where it would lose messages or let the wrong client in; each place
says what it does without. Keepalive is not enforced, on purpose: while the simulated clock stands
still, a node cannot ping.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.errors import MQTTError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import OUTGOING, OutgoingApplicationMessage, Session

from simulator.world.broker_rules import host_name, may_connect, may_read, may_write
from simulator.world.loop_thread import LoopThread

_HERE = "simulator.world.broker_embedded"
_TAKE_OVER_S = 2


def _identity(session: Session) -> tuple[str, str]:
    """(CN, OU) of the client's certificate; empty where there is not exactly one."""
    subject = (session.ssl_object.getpeercert() or {}).get("subject", ())
    parts = [part for group in subject for part in group]
    names = [value for key, value in parts if key == "commonName"]
    roles = [value for key, value in parts if key == "organizationalUnitName"]
    return (names[0], roles[0]) if len(names) == len(roles) == 1 else ("", "")


class CertificatePlugin(BaseAuthPlugin):
    """Lets in who broker_rules lets in, and remembers the role in the session."""

    async def authenticate(self, *, session: Session) -> bool:
        name, role = _identity(session) if session.ssl_object else ("", "")
        session.attributes["role"] = role
        return may_connect(name, role, session.client_id)


class TopicPlugin(BaseTopicPlugin):
    """Refuses the topics that broker_rules refuses. A forbidden publish is dropped silently."""

    async def topic_filtering(self, *, session=None, topic=None, action=None) -> bool:
        return _allowed(session, topic, may_write if action == Action.PUBLISH else may_read)


def _allowed(session: Session, topic: str, rule: Callable) -> bool:
    return rule(session.client_id, session.attributes["role"], topic)


class _Handler(BrokerProtocolHandler):
    """Keeps a QoS 1 message until it is acknowledged.

    As it is, amqtt drops one when its acknowledgement takes 5 s or the client disconnects, and
    serves a client that reconnects only after all that was kept for it is acknowledged.
    """

    async def _handle_qos1_message_flow(self, app_message):
        if app_message.direction != OUTGOING:
            return await super()._handle_qos1_message_flow(app_message)
        self.session.inflight_out[app_message.packet_id] = app_message
        packet = app_message.build_publish_packet(dup=app_message.publish_packet is not None)
        app_message.publish_packet = packet
        await self._send_packet(packet)

    async def handle_puback(self, puback):
        self.session.inflight_out.pop(puback.variable_header.packet_id, None)


class _Broker(Broker):
    def __init__(self, config: BrokerConfig, on_publish: Callable | None, queue_limit: int):
        super().__init__(config)
        self._queue_limit = queue_limit
        self._on_publish = on_publish
        self._writers: set[asyncio.StreamWriter] = set()
        self._doors: dict[str, asyncio.Lock] = {}  # by client id
        self._entering: dict[asyncio.Task, asyncio.Lock] = {}

    @staticmethod
    def _create_ssl_context(listener: ListenerConfig) -> ssl.SSLContext:
        """As a stock ESP32 needs it, and closed to clients without a certificate of our CA."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(listener.cafile)
        context.load_cert_chain(listener.certfile, listener.keyfile)
        return context

    async def stream_connected(self, reader, writer, listener_name):
        self._writers.add(writer)  # asyncio has set TCP_NODELAY
        try:
            await super().stream_connected(reader, writer, listener_name)
        except OSError:
            pass  # the client has gone
        finally:
            self._is_in()
            self._writers.discard(writer)
            writer.transport.abort()

    async def _initialize_client_session(self, reader, writer, remote_address, remote_port):
        """Checks the certificate before the client gets a session.

        As it is, amqtt clears, takes over or reuses the session of this client id first, and
        checks the certificate that the session was made with.
        """
        first, asked = await _Handler.init_from_connect(reader, writer, self.plugins_manager)
        if not await self._authenticate(asked, None):
            first.attach(asked, reader, writer)
            await first.mqtt_connack_authorize(False)
            await writer.close()
            raise MQTTError("refused by its certificate")
        await self._enter(asked.client_id)
        kept, handler = self._sessions.get(asked.client_id, (None, None))
        if kept is not None:
            await self._end(kept, handler)
        if kept is None or kept.clean_session or asked.clean_session:
            await self._delete_session(asked.client_id)
            asked.parent = 0
            return first, asked
        for name in ("will_flag", "will_message", "will_topic", "will_qos", "will_retain"):
            setattr(kept, name, getattr(asked, name))
        kept.keep_alive, kept.ssl_object = asked.keep_alive, asked.ssl_object
        kept.parent = 1
        return first, kept

    async def _enter(self, client_id: str):
        """Lets one connection of a client id in at a time.

        As it is, two that come at once share a session, and the end of the one that is taken over
        marks the other as disconnected: nothing that it subscribed to reaches it again.
        """
        door = self._doors.setdefault(client_id, asyncio.Lock())
        await door.acquire()
        self._entering[asyncio.current_task()] = door

    def _is_in(self):
        door = self._entering.pop(asyncio.current_task(), None)
        if door is not None:
            door.release()

    async def _handle_client_session(self, reader, writer, session, handler, *where):
        """As it is, a client that goes while it is let in stays connected for ever."""
        try:
            await super()._handle_client_session(reader, writer, session, handler, *where)
        finally:
            if self._get_handler(session) is handler and session.transitions.is_connected():
                session.transitions.disconnect()

    async def _client_message_loop(self, session, handler):
        self._is_in()
        await super()._client_message_loop(session, handler)

    async def _end(self, session: Session, handler: BrokerProtocolHandler):
        """Ends the older connection of a client id, and waits until its session says so.

        As it is, the older connection's end marks the newer one as disconnected.
        """
        async with asyncio.timeout(_TAKE_OVER_S):
            while session.transitions.is_connected():
                if handler.writer is not None:
                    handler.writer._writer.transport.abort()
                await asyncio.sleep(0.001)

    async def _broadcast_message(self, session, topic, data, force_qos=None):
        # Wills come here unchecked.
        if session is not None and not _allowed(session, topic, may_write):
            return
        if self._on_publish is not None:
            self._on_publish(topic, bytes(data))
        await super()._broadcast_message(session, topic, data, force_qos)

    async def _run_broadcast(self, running_tasks):
        """Hands one message to all who subscribed to it.

        As it is, amqtt awaits within its loop over the subscriptions, and fails when one is added.
        """
        message = await self._broadcast_queue.get()
        topic, data = message["topic"], message["data"]
        for topic_filter, subscriptions in self._subscriptions.items():
            if not self._matches(topic, topic_filter):
                continue
            for session, subscribed_qos in subscriptions:
                qos = message.get("qos", subscribed_qos)
                if not _allowed(session, topic, may_read):
                    continue
                if session.transitions.is_connected():
                    publishing = self._get_handler(session).mqtt_publish(topic, data, qos, False)
                    running_tasks.append(asyncio.ensure_future(publishing))
                elif qos and not session.clean_session:
                    self._keep(session, topic, data, qos)

    def _keep(self, session: Session, topic: str, data: bytes, qos: int):
        """Puts a message with those that have no acknowledgement: sent when the client is back.
        One too many is dropped, as brokers do."""
        if len(session.inflight_out) >= self._queue_limit:
            return
        message = OutgoingApplicationMessage(session.next_packet_id, topic, qos, data, False)
        session.inflight_out[message.packet_id] = message

    async def retain_message(self, *_):
        """Nothing is retained."""


class EmbeddedBroker:
    """ca, certificate, key: PEM files. on_publish: called in the broker's thread with (topic,
    payload) of each message that the rules let through. queue_limit: messages that are kept for a
    client that is away.

    amqtt has no shared subscriptions ($share); they are refused.
    """

    def __init__(
        self,
        ca: Path,
        certificate: Path,
        key: Path,
        on_publish: Callable[[str, bytes], None] | None = None,
        queue_limit: int = 100_000,
    ):
        listener = ListenerConfig(
            bind="127.0.0.1:0", ssl=True, cafile=ca, certfile=certificate, keyfile=key
        )
        self._config = BrokerConfig(
            listeners={"default": listener},
            plugins={f"{_HERE}.CertificatePlugin": {}, f"{_HERE}.TopicPlugin": {}},
        )
        self.host_name = host_name(certificate)
        self._on_publish = on_publish
        self._queue_limit = queue_limit
        self._broker: _Broker | None = None
        self._thread = LoopThread("embedded broker")
        self._trouble: str | None = None

    def start(self) -> tuple[str, int]:
        """(host, port) at which the broker listens."""
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # that a client is gone is no news
        self._thread.loop.set_exception_handler(self._note)
        self._thread.start()
        return "127.0.0.1", self._thread.do(self._start())

    def stop(self):
        """Breaks all connections, and forgets all sessions and messages."""
        self._thread.stop(self._stop())

    kill = stop  # it has no disk, and so nothing to put in order

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def trouble(self) -> str | None:
        """What went wrong within the broker, in one line; None if nothing did."""
        return self._trouble

    def _note(self, loop, context: dict):
        self._trouble = f"{context['message']}: {context.get('exception')!r}"

    async def _start(self) -> int:
        self._broker = _Broker(self._config, self._on_publish, self._queue_limit)
        await self._broker.start()
        return self._broker._servers["default"].instance.sockets[0].getsockname()[1]

    async def _stop(self):
        if self._broker is not None:
            for writer in self._broker._writers:
                writer.transport.abort()
            await self._broker.shutdown()
