"""What the panel "Live" holds while Blender runs; `WindowManager.likeness_live`."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from .live.packets import IFACIALMOCAP_PORT, LIVE_LINK_PORT
from .live.receiver import ANYWHERE, LOOPBACK

APP_ITEMS = (
    ("LIVE_LINK", "Live Link Face", "Epic Games' app for the iPhone, in its mode ARKit"),
    ("IFACIALMOCAP", "iFacialMocap", "iFacialMocap, Facemotion3d and what speaks as they do"),
)
PORTS = {"LIVE_LINK": LIVE_LINK_PORT, "IFACIALMOCAP": IFACIALMOCAP_PORT}
FROM_ITEMS = (
    ("COMPUTER", "This Computer", "Programs on this computer alone can send (127.0.0.1)"),
    ("NETWORK", "Whole Network", "Every device that reaches this computer can send, as a phone must (0.0.0.0)"),
    ("ADDRESS", "One Address", "Devices that reach one of this computer's addresses can send"),
)


def _app_changed(settings: LiveProperties, _context: bpy.types.Context) -> None:
    settings.port = PORTS[settings.app]


class LiveProperties(bpy.types.PropertyGroup):
    """From whom a live performance comes, and what is made of it."""

    app: EnumProperty(
        items=APP_ITEMS,
        name="App",
        description="What sends. It chooses the usual port; both are understood on every port",
        update=_app_changed,
    )
    port: IntProperty(
        name="Port", description="The UDP port to open, the one in the app", default=LIVE_LINK_PORT, min=1, max=65535
    )
    source: EnumProperty(items=FROM_ITEMS, name="From", description="Who can send")
    address: StringProperty(name="Address", description="The address of this computer to listen on", default=LOOPBACK)
    phone: StringProperty(
        name="Phone", description="The phone's address, to heed nobody else; empty heeds whoever sends first"
    )
    mirror: BoolProperty(name="Mirror", description="Let the avatar be the performer's mirror image")
    head: BoolProperty(name="Head Motion", description="Let the head turn, not the face alone", default=True)

    @property
    def listen_on(self) -> str:
        """The address to listen on."""
        return {"COMPUTER": LOOPBACK, "NETWORK": ANYWHERE}.get(self.source, self.address)


def register() -> None:
    """Register the properties and hang them on the window manager."""
    bpy.utils.register_class(LiveProperties)
    bpy.types.WindowManager.likeness_live = PointerProperty(type=LiveProperties)


def unregister() -> None:
    """Take them away again."""
    del bpy.types.WindowManager.likeness_live
    bpy.utils.unregister_class(LiveProperties)
