"""The engine's client: starts its process, speaks to it, and turns whatever goes wrong into one readable error.

Needs no bpy. Nothing that the main thread calls waits for the process. docs/protocol.md describes the conversation.

Error codes, all MachineError: engine.not_found, engine.died, engine.silent, engine.version, engine.not_an_engine,
engine.garbled, engine.stopped; a job also fails with the engine's own codes.
"""

from .client import EngineClient, EngineState, EngineStatus, Job

__all__ = ["EngineClient", "EngineState", "EngineStatus", "Job"]
