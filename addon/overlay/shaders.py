"""The overlay's three programs in Blender's own shader interface, the same on OpenGL, Vulkan and Metal.

The splats' program does what the engine's rasterizer does (likeness.rendering.projection): EWA projection (Zwicker et
al. 2001), a low-pass of 0.3 square pixels, the Jacobian clamped at 15 % of the picture beside it (1.3 in normalized
coordinates), alpha capped at 0.99 and skipped under 1/255; here with Blender's matrices, so that perspective, shift,
zoom and orthographic views are one formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from likeness.contract.lighting import DIMMEST, GAMMA

if TYPE_CHECKING:
    from gpu.types import GPUShader

CLIP_PLANES = 4
VIEW_FLOATS = 16 + 16 + 4 + 4 * CLIP_PLANES
LIGHT_ROWS = 18
STRUCTS = """
struct SplatView { mat4 view; mat4 proj; vec4 size; vec4 clip[4]; };
struct SplatLight { vec4 still[9]; vec4 now[9]; };
"""

SPLAT_VERTEX = """
vec4 texel(sampler2D image, int i) {
  int width = textureSize(image, 0).x;
  return texelFetch(image, ivec2(i % width, i / width), 0);
}

#define IRRADIANCE(h, n) \\
  (h[0].rgb + sqrt(3.0) * (h[1].rgb * n.x + h[2].rgb * n.y + h[3].rgb * n.z) \\
   + sqrt(15.0) * (h[4].rgb * (n.x * n.y) + h[5].rgb * (n.y * n.z) + h[6].rgb * (n.x * n.z)) \\
   + 0.5 * sqrt(15.0) * h[7].rgb * (n.x * n.x - n.y * n.y) + 0.5 * sqrt(5.0) * h[8].rgb * (3.0 * n.z * n.z - 1.0))

vec3 shade(vec3 n, float share) {  /* likeness.contract.lighting */
  vec3 still = pow(max(IRRADIANCE(light.still, n), vec3(DIMMEST)), vec3(1.0 / GAMMA));
  vec3 now = pow(max(IRRADIANCE(light.now, n), vec3(DIMMEST)), vec3(1.0 / GAMMA));
  return mix(still, now, share);
}

void main() {
  gl_Position = vec4(0.0, 0.0, 2.0, 1.0);  /* beyond the far plane: not drawn */
  color = vec4(0.0);
  offset = vec2(0.0);
  depth = 0.0;

  int g = 5 * int(texel(order, gl_InstanceID).r + 0.5);
  vec4 corners = texel(gaussians, g), mean = texel(gaussians, g + 1);
  vec4 upper = texel(gaussians, g + 2), lower = texel(gaussians, g + 3);
  vec3 facing = texel(gaussians, g + 4).xyz;

  vec3 a = texel(positions, int(corners.x + 0.5)).xyz;
  vec3 e1 = texel(positions, int(corners.y + 0.5)).xyz - a;
  vec3 e2 = texel(positions, int(corners.z + 0.5)).xyz - a;
  vec3 n = cross(e1, e2);
  n *= inversesqrt(max(length(n), 1e-30));
  vec4 point = cam.view * vec4(a + e1 * mean.x + e2 * mean.y + n * mean.z, 1.0);
  vec4 h = cam.proj * point;
  float visible = 255.0 * corners.w;
  if (h.w < 1e-6 || abs(h.z) > h.w || visible <= 1.0) return;
  for (int i = 0; i < 4; i++) {
    if (dot(cam.clip[i], point) < 0.0) return;
  }

  vec2 ndc = h.xy / h.w;
  vec2 near = clamp(ndc, -1.3, 1.3);
  mat4 rows = transpose(cam.proj);
  mat3 to_view = mat3(cam.view) * mat3(e1, e2, n);
  vec3 x = 0.5 * cam.size.x / h.w * (rows[0].xyz - near.x * rows[3].xyz) * to_view;
  vec3 y = 0.5 * cam.size.y / h.w * (rows[1].xyz - near.y * rows[3].xyz) * to_view;
  mat3 covariance = mat3(upper.x, upper.y, upper.z, upper.y, lower.x, lower.y, upper.z, lower.y, lower.z);
  float xx = dot(x, covariance * x) + 0.3, xy = dot(x, covariance * y), yy = dot(y, covariance * y) + 0.3;

  float middle = 0.5 * (xx + yy), half_difference = 0.5 * (xx - yy);
  float spread = length(vec2(half_difference, xy));
  float longer = middle + spread, shorter = max((xx * yy - xy * xy) / longer, 1e-6);
  vec2 axis = vec2(1.0, 0.0);
  if (spread > 1e-9) {
    axis = normalize(half_difference >= 0.0 ? vec2(spread + half_difference, xy) : vec2(xy, spread - half_difference));
  }
  float reach = sqrt(2.0 * log(visible));  /* where alpha falls to 1/255 */
  offset = reach * vec2((gl_VertexID & 1) == 0 ? -1.0 : 1.0, (gl_VertexID & 2) == 0 ? -1.0 : 1.0);
  vec2 pixels = axis * (offset.x * sqrt(longer)) + vec2(-axis.y, axis.x) * (offset.y * sqrt(shorter));
  color = vec4(mean.w, upper.w, lower.w, corners.w);
  float share = length(facing);
  if (share > 0.0) color.rgb *= shade(facing / share, share);
  color.rgb = min(color.rgb, vec3(1.0));
  depth = point.z;
  gl_Position = vec4(ndc + 2.0 * pixels / cam.size.xy, h.z / h.w, 1.0);
}
"""
SPLAT_FRAGMENT = """
void main() {
  float alpha = min(0.99, color.a * exp(-0.5 * dot(offset, offset)));
  if (alpha < 1.0 / 255.0) discard;
  rgba = vec4(color.rgb * alpha, alpha);
  mean_depth = vec4(depth * alpha, 0.0, 0.0, alpha);
}
"""
FULL_SCREEN_VERTEX = """
void main() {
  gl_Position = vec4(vec2((gl_VertexID & 1) * 4 - 1, (gl_VertexID & 2) * 2 - 1), 0.0, 1.0);
}
"""
COMPOSITE_FRAGMENT = """
void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  vec4 color = texelFetch(image, pixel, 0);
  if (color.a < 1.0 / 255.0) discard;
  float z = texelFetch(depths, pixel, 0).r / color.a + settings.y;
  vec4 h = proj * vec4(0.0, 0.0, z, 1.0);
  float depth = clamp(0.5 * h.z / h.w + 0.5, 0.0, 1.0);
  if (settings.z > 0.5 && depth > texelFetch(scene, pixel, 0).r) discard;
  gl_FragDepth = depth;
  /* Blender decodes what is drawn over a viewport with a plain power of 2.2, not with sRGB's curve. */
  rgba = vec4(pow(max(color.rgb / color.a, vec3(0.0)), vec3(2.2)), 1.0) * (color.a * settings.x);
}
"""
OCCLUDER_VERTEX = """
void main() {
  vec4 point = model * vec4(pos, 1.0);
  inside = vec4(dot(cam.clip[0], point), dot(cam.clip[1], point), dot(cam.clip[2], point), dot(cam.clip[3], point));
  gl_Position = cam.proj * point;
}
"""
OCCLUDER_FRAGMENT = """
void main() {
  if (min(min(inside.x, inside.y), min(inside.z, inside.w)) < 0.0) discard;
  depth = vec4(gl_FragCoord.z, 0.0, 0.0, 1.0);
}
"""


def splat_shader() -> GPUShader:
    """Return the program that draws splats: sRGB premultiplied, and their depth times alpha."""
    import gpu

    info = gpu.types.GPUShaderCreateInfo()
    for slot, name in enumerate(("gaussians", "positions", "order")):
        info.sampler(slot, "FLOAT_2D", name)
    _add_view(info)
    info.uniform_buf(1, "SplatLight", "light")
    info.define("DIMMEST", repr(DIMMEST))
    info.define("GAMMA", repr(GAMMA))
    passed = gpu.types.GPUStageInterfaceInfo("likeness_splat")
    passed.smooth("VEC2", "offset")
    passed.flat("VEC4", "color")
    passed.flat("FLOAT", "depth")
    info.vertex_out(passed)
    info.fragment_out(0, "VEC4", "rgba")
    info.fragment_out(1, "VEC4", "mean_depth")
    info.vertex_source(SPLAT_VERTEX)
    info.fragment_source(SPLAT_FRAGMENT)
    return gpu.shader.create_from_info(info)


def composite_shader() -> GPUShader:
    """Return the program that lays a target over the viewport. settings: opacity, depth bias, own scene depth."""
    import gpu

    info = gpu.types.GPUShaderCreateInfo()
    for slot, name in enumerate(("image", "depths", "scene")):
        info.sampler(slot, "FLOAT_2D", name)
    info.push_constant("MAT4", "proj")
    info.push_constant("VEC4", "settings")
    if hasattr(info, "depth_write"):  # needed where it exists, Blender 5
        info.depth_write("ANY")
    info.fragment_out(0, "VEC4", "rgba")
    info.vertex_source(FULL_SCREEN_VERTEX)
    info.fragment_source(COMPOSITE_FRAGMENT)
    return gpu.shader.create_from_info(info)


def occluder_shader() -> GPUShader:
    """Return the program that draws meshes as window depth into a colour."""
    import gpu

    info = gpu.types.GPUShaderCreateInfo()
    _add_view(info)
    info.push_constant("MAT4", "model")
    info.vertex_in(0, "VEC3", "pos")
    passed = gpu.types.GPUStageInterfaceInfo("likeness_occluder")
    passed.smooth("VEC4", "inside")
    info.vertex_out(passed)
    info.fragment_out(0, "VEC4", "depth")
    info.vertex_source(OCCLUDER_VERTEX)
    info.fragment_source(OCCLUDER_FRAGMENT)
    return gpu.shader.create_from_info(info)


def _add_view(info: object) -> None:
    info.typedef_source(STRUCTS)  # a second one would take the first one's place
    info.uniform_buf(0, "SplatView", "cam")
