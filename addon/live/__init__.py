"""A performance that arrives over the network: packets, the thread that receives them, takes. Needs no bpy."""
