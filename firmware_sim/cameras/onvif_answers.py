"""SOAP bodies of a simulated camera, as the ONVIF specifications write them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

_TT: Final = "http://www.onvif.org/ver10/schema"
_ROOT: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"'
    f' xmlns:tt="{_TT}" xmlns:ter="http://www.onvif.org/ver10/error" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tev="http://www.onvif.org/ver10/events/wsdl"'
    ' xmlns:trc="http://www.onvif.org/ver10/recording/wsdl" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
    ' xmlns:tns1="http://www.onvif.org/ver10/topics" xmlns:wsa="http://www.w3.org/2005/08/addressing">'
    "<env:Body>{body}</env:Body></env:Envelope>"
)
TAMPER: Final = {
    "blurry": ("tns1:VideoSource/ImageTooBlurry/ImagingService", "State"),
    "dark": ("tns1:VideoSource/ImageTooDark/ImagingService", "State"),
    "bright": ("tns1:VideoSource/ImageTooBright/ImagingService", "State"),
    "scene": ("tns1:VideoSource/GlobalSceneChange/ImagingService", "State"),
    "signal": ("tns1:VideoSource/SignalLoss", "State"),
    "tamper": ("tns1:RuleEngine/TamperDetector/Tamper", "IsTamper"),
}
"""What a camera can report of its picture: our name -> topic and item."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may ask."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stream:
    """A profile. `rtsp_port` and `path`: where its stream is; `snapshot_path`: its still picture, on the HTTP port."""

    token: str
    path: str
    rtsp_port: int
    width: int = 640
    height: int = 360
    fps: int = 10
    codec: str = "H264"
    snapshot_path: str | None = "/snapshot.jpg"


def _envelope(body: str) -> str:
    return _ROOT.format(body=body)


def fault(code: str, subcode: str) -> str:
    """A SOAP fault."""
    return _envelope(
        f"<env:Fault><env:Code><env:Value>env:{code}</env:Value><env:Subcode><env:Value>ter:{subcode}</env:Value>"
        f'</env:Subcode></env:Code><env:Reason><env:Text xml:lang="en">{subcode}</env:Text></env:Reason></env:Fault>'
    )


def clock(now: datetime) -> str:
    """GetSystemDateAndTime: whole seconds, as the schema has it."""
    return _envelope(
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>WIT-9</tt:TZ></tt:TimeZone>"
        f"<tt:UTCDateTime>{_date_time(now)}</tt:UTCDateTime>"
        f"<tt:LocalDateTime>{_date_time(now + timedelta(hours=9))}</tt:LocalDateTime>"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def _date_time(at: datetime) -> str:
    return (
        f"<tt:Time><tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute><tt:Second>{at.second}</tt:Second>"
        f"</tt:Time><tt:Date><tt:Year>{at.year}</tt:Year><tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day></tt:Date>"
    )


def information(model: str, firmware: str, serial: str) -> str:
    """GetDeviceInformation."""
    return _envelope(
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>Kewang</tds:Manufacturer>"
        f"<tds:Model>{escape(model)}</tds:Model><tds:FirmwareVersion>{escape(firmware)}</tds:FirmwareVersion>"
        f"<tds:SerialNumber>{escape(serial)}</tds:SerialNumber><tds:HardwareId>1</tds:HardwareId>"
        "</tds:GetDeviceInformationResponse>"
    )


def services(address: str, has_recording: bool) -> str:
    """GetServices."""
    names = ["device", "media", "events", *(["recording"] if has_recording else [])]
    version = "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version>"
    told = (
        f"<tds:Service><tds:Namespace>http://www.onvif.org/ver10/{name}/wsdl</tds:Namespace>"
        f"<tds:XAddr>{address}</tds:XAddr>{version}</tds:Service>"
        for name in names
    )
    return _envelope(f"<tds:GetServicesResponse>{''.join(told)}</tds:GetServicesResponse>")


def capabilities(address: str, has_recording: bool) -> str:
    """GetCapabilities."""
    xaddr = f"<tt:XAddr>{address}</tt:XAddr>"
    recording = (
        f"<tt:Extension><tt:Recording>{xaddr}<tt:ReceiverSource>false</tt:ReceiverSource>"
        "<tt:MediaProfileSource>true</tt:MediaProfileSource><tt:DynamicRecordings>false</tt:DynamicRecordings>"
        "<tt:DynamicTracks>false</tt:DynamicTracks><tt:MaxStringLength>64</tt:MaxStringLength></tt:Recording></tt:Extension>"
    )
    return _envelope(
        f"<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device>{xaddr}</tt:Device><tt:Events>{xaddr}"
        "<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport><tt:WSPullPointSupport>true"
        "</tt:WSPullPointSupport><tt:WSPausableSubscriptionManagerInterfaceSupport>false"
        f"</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events><tt:Media>{xaddr}"
        "<tt:StreamingCapabilities/></tt:Media>"
        f"{recording if has_recording else ''}</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def profiles(streams: Sequence[Stream]) -> str:
    """GetProfiles."""
    return _envelope(f"<trt:GetProfilesResponse>{''.join(map(_profile, streams))}</trt:GetProfilesResponse>")


def _profile(stream: Stream) -> str:
    token, size = escape(stream.token), f"<tt:Width>{stream.width}</tt:Width><tt:Height>{stream.height}</tt:Height>"
    return (
        f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{token}</tt:Name>'
        '<tt:VideoSourceConfiguration token="source-config"><tt:Name>source</tt:Name><tt:UseCount>2</tt:UseCount>'
        "<tt:SourceToken>source-1</tt:SourceToken>"
        f'<tt:Bounds x="0" y="0" width="{stream.width}" height="{stream.height}"/></tt:VideoSourceConfiguration>'
        f'<tt:VideoEncoderConfiguration token="encoder-{token}"><tt:Name>{token}</tt:Name>'
        f"<tt:UseCount>1</tt:UseCount><tt:Encoding>{stream.codec}</tt:Encoding><tt:Resolution>{size}</tt:Resolution>"
        f"<tt:Quality>4</tt:Quality><tt:RateControl><tt:FrameRateLimit>{stream.fps}</tt:FrameRateLimit>"
        "<tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>1024</tt:BitrateLimit></tt:RateControl>"
        "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>"
        "<tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
        "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>"
    )


def address(name: str, streams: Sequence[Stream], token: str, host: str) -> str | None:
    """GetStreamUri or GetSnapshotUri (`name`) of profile `token`; None if there is none. `host`: as we are called."""
    stream = next((each for each in streams if each.token == token), None)
    if stream is None or (name == "GetSnapshotUri" and stream.snapshot_path is None):
        return None
    plain = host.rpartition(":")[0] or host
    rtsp = f"rtsp://{plain}:{stream.rtsp_port}{stream.path}"
    uri = rtsp if name == "GetStreamUri" else f"http://{host}{stream.snapshot_path}"
    return _envelope(
        f"<trt:{name}Response><trt:MediaUri><tt:Uri>{escape(uri)}</tt:Uri><tt:InvalidAfterConnect>false"
        "</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
        f"</trt:MediaUri></trt:{name}Response>"
    )


def recording_jobs(is_recording: bool | None, streams: Sequence[Stream]) -> str | None:
    """GetRecordingJobs: one job on the first stream; None without a recording service."""
    if is_recording is None:
        return None
    token = escape(streams[0].token) if streams else "none"
    return _envelope(
        "<trc:GetRecordingJobsResponse><trc:JobItem><tt:JobToken>job-1</tt:JobToken><tt:JobConfiguration>"
        "<tt:RecordingToken>recording-1</tt:RecordingToken><tt:Mode>Active</tt:Mode><tt:Priority>1</tt:Priority>"
        f'<tt:Source><tt:SourceToken Type="{_TT}/Profile"><tt:Token>{token}</tt:Token></tt:SourceToken></tt:Source>'
        "</tt:JobConfiguration></trc:JobItem></trc:GetRecordingJobsResponse>"
    )


def recording_job_state(is_recording: bool | None) -> str | None:
    """GetRecordingJobState of the one job; None without a recording service."""
    if is_recording is None:
        return None
    state = "Active" if is_recording else "Idle"
    return _envelope(
        "<trc:GetRecordingJobStateResponse><trc:State><tt:RecordingToken>recording-1</tt:RecordingToken>"
        f"<tt:State>{state}</tt:State></trc:State></trc:GetRecordingJobStateResponse>"
    )


def subscription(place: str, name: str, by_reference: bool, now: datetime) -> str:
    """CreatePullPointSubscription. The subscription is named by its address; or by a header that has to come back, as
    with some makers."""
    named = f'<k:SubscriptionId xmlns:k="urn:kewang:simulated">{name}</k:SubscriptionId>'
    reference = f"<wsa:ReferenceParameters>{named}</wsa:ReferenceParameters>" if by_reference else ""
    address = place if by_reference else f"{place}?id={name}"
    return _envelope(
        f"<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa:Address>{address}</wsa:Address>"
        f"{reference}</tev:SubscriptionReference><wsnt:CurrentTime>{_iso(now)}</wsnt:CurrentTime>"
        f"<wsnt:TerminationTime>{_iso(now + timedelta(minutes=1))}</wsnt:TerminationTime>"
        "</tev:CreatePullPointSubscriptionResponse>"
    )


def messages(now: datetime, notices: Iterable[str]) -> str:
    """PullMessages."""
    return _envelope(
        f"<tev:PullMessagesResponse><tev:CurrentTime>{_iso(now)}</tev:CurrentTime><tev:TerminationTime>"
        f"{_iso(now + timedelta(minutes=1))}</tev:TerminationTime>{''.join(notices)}</tev:PullMessagesResponse>"
    )


def empty(name: str) -> str:
    """An answer that says nothing but that it was done."""
    prefix = "wsnt" if name.startswith("Unsubscribe") else "tev"
    return _envelope(f"<{prefix}:{name}/>")


def tamper(name: str, holds: bool, now: datetime) -> str:
    """One of TAMPER as a property."""
    topic, item = TAMPER[name]
    return _notice(topic, ("VideoSource", "source-1"), (item, str(holds).lower()), now)


def rebooted(at: datetime, now: datetime) -> str:
    """The last restart as a property."""
    return _notice("tns1:Monitoring/OperatingTime/LastReboot", None, ("Status", _iso(at)), now)


def storage(failed: bool, now: datetime) -> str:
    """The card's health as a property."""
    topic = "tns1:Device/HardwareFailure/StorageFailure"
    return _notice(topic, ("Token", "card-1"), ("Failed", str(failed).lower()), now)


def _notice(topic: str, source: tuple[str, str] | None, data: tuple[str, str], now: datetime) -> str:
    items = [f'<tt:SimpleItem Name="{name}" Value="{value}"/>' for name, value in filter(None, (source, data))]
    about = f"<tt:Source>{items[0]}</tt:Source>" if source else "<tt:Source/>"
    return (
        '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f'{topic}</wsnt:Topic><wsnt:Message><tt:Message UtcTime="{_iso(now)}" PropertyOperation="Initialized">{about}'
        f"<tt:Data>{items[-1]}</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
