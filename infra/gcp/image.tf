# The machine image. Without one, the provider takes the current image of the Deep Learning VM
# family (Ubuntu, NVIDIA driver) when it makes the node, and keeps it: a newer image does not
# replace a node.

locals {
  image = var.image
}

check "image_is_a_path" {
  assert {
    condition     = var.image == null || can(regex("^projects/[^/]+/global/images/(family/)?[^/]+$", var.image))
    error_message = "image is projects/PROJECT/global/images/NAME, or projects/PROJECT/global/images/family/FAMILY."
  }
}
