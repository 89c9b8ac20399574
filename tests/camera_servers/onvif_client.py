"""onvif-zeep-async, as an independent client: says as JSON what it reads of a camera. Run by the Python of .parts/cameras.

    onvif_client.py PORT USER PASSWORD

It builds every request from ONVIF's own WSDL files and reads every answer by them, so what it can't read is not ONVIF.
"""

import asyncio
import datetime as dt
import json
import sys

from onvif import ONVIFCamera


async def main(port, user, password):
    camera = ONVIFCamera("127.0.0.1", int(port), user, password, adjust_time=True)
    try:
        await camera.update_xaddrs()
        print(json.dumps(await told(camera)))
    finally:
        await camera.close()


async def told(camera):
    device, media = await camera.create_devicemgmt_service(), await camera.create_media_service()
    information = await device.GetDeviceInformation()
    clock = (await device.GetSystemDateAndTime()).UTCDateTime
    profiles = await media.GetProfiles()
    return {
        "model": information.Model,
        "serial": information.SerialNumber,
        "utc": [clock.Date.Year, clock.Date.Month, clock.Date.Day, clock.Time.Hour, clock.Time.Minute, clock.Time.Second],
        "profiles": [profile.token for profile in profiles],
        "size": [profiles[0].VideoEncoderConfiguration.Resolution[each] for each in ("Width", "Height")],
        "streams": [await stream(media, profile.token) for profile in profiles],
        "snapshot": (await media.GetSnapshotUri({"ProfileToken": profiles[0].token})).Uri,
        "events": await events(camera),
        "jobs": await jobs(camera),
    }


async def stream(media, token):
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    return (await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": token})).Uri


async def events(camera):
    """Topic -> first value of its data, from one pull."""
    manager = await camera.create_pullpoint_manager(dt.timedelta(seconds=60), lambda: None)
    try:
        service = manager.get_service()
        pulled = await service.PullMessages({"Timeout": dt.timedelta(seconds=1), "MessageLimit": 50})
        return {
            notice.Topic._value_1: notice.Message._value_1.Data.SimpleItem[0].Value
            for notice in pulled.NotificationMessage
        }
    finally:
        await manager.stop()


async def jobs(camera):
    service = await camera.create_recording_service()
    found = await service.GetRecordingJobs()
    return [(await service.GetRecordingJobState({"JobToken": job.JobToken})).State for job in found]


asyncio.run(main(*sys.argv[1:]))
