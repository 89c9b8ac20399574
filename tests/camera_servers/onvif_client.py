"""onvif-zeep-async, a client that others wrote: says as JSON what it reads of a camera. Run by .parts/cameras' Python.

    onvif_client.py PORT USER PASSWORD

It builds every request from ONVIF's own WSDL files and reads every answer by them, so what it can't read is not ONVIF.
"""

import asyncio
import datetime as dt
import json
import sys
from typing import Any

from onvif import ONVIFCamera  # type: ignore[import-not-found]


async def main(port: str, user: str, password: str) -> None:
    camera = ONVIFCamera("127.0.0.1", int(port), user, password, adjust_time=True)
    try:
        await camera.update_xaddrs()
        print(json.dumps(await told(camera)))
    finally:
        await camera.close()


async def told(camera: Any) -> dict[str, Any]:
    device, media = await camera.create_devicemgmt_service(), await camera.create_media_service()
    information = await device.GetDeviceInformation()
    clock = (await device.GetSystemDateAndTime()).UTCDateTime
    profiles = await media.GetProfiles()
    return {
        "model": information.Model,
        "serial": information.SerialNumber,
        "utc": [
            clock.Date.Year,
            clock.Date.Month,
            clock.Date.Day,
            clock.Time.Hour,
            clock.Time.Minute,
            clock.Time.Second,
        ],
        "profiles": [profile.token for profile in profiles],
        "size": [profiles[0].VideoEncoderConfiguration.Resolution[each] for each in ("Width", "Height")],
        "streams": [await stream(media, profile.token) for profile in profiles],
        "snapshot": (await media.GetSnapshotUri({"ProfileToken": profiles[0].token})).Uri,
        "events": await events(camera),
        "jobs": await jobs(camera),
    }


async def stream(media: Any, token: str) -> Any:
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    return (await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": token})).Uri


async def events(camera: Any) -> dict[str, Any]:
    """Topic -> first value of its data, from one pull."""
    manager = await camera.create_pullpoint_manager(dt.timedelta(seconds=60), lambda: None)
    try:
        service = manager.get_service()
        pulled = await service.PullMessages({"Timeout": dt.timedelta(seconds=1), "MessageLimit": 50})
        notices = pulled.NotificationMessage
        return {notice.Topic._value_1: notice.Message._value_1.Data.SimpleItem[0].Value for notice in notices}
    finally:
        await manager.stop()


async def jobs(camera: Any) -> list[Any]:
    service = await camera.create_recording_service()
    found = await service.GetRecordingJobs()
    return [(await service.GetRecordingJobState({"JobToken": job.JobToken})).State for job in found]


asyncio.run(main(*sys.argv[1:]))
