"""A pipeline put together from the settings: for the gateway of one process, and for each of several."""

from collections.abc import Sequence

from gateway.pipeline import Pipeline
from gateway.ports import Clock, Onlooker, Store
from gateway.settings import GatewaySettings
from gateway.subscription import CHANNELS, MqttSubscription


def pipeline_of(
    settings: GatewaySettings,
    store: Store,
    clock: Clock,
    onlooker: Onlooker | None = None,
    kind: type[Pipeline] = Pipeline,
    channels: Sequence[str] = CHANNELS,
) -> Pipeline:
    """The pipeline that the settings describe; `channels`: what it hears."""
    timers = settings.times()
    return kind(
        settings.id,
        MqttSubscription(settings.broker, settings.id, settings.shards, timers.keepalive_s, channels),
        store,
        clock,
        timers=timers,
        lives=settings.store.lives(),
        credit=settings.credit,
        queue_batches=settings.queue_batches,
        writers=settings.store.writers,
        write_rows=settings.store.write_rows,
        onlooker=onlooker,
    )
