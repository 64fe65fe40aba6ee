# The machine image. Without one, the provider takes the current Deep Learning base image (Ubuntu,
# NVIDIA driver) of the region when it makes the node, and keeps it: a newer image does not replace
# a node. AMI ids differ by region.

locals {
  image = var.image
}

check "image_is_an_ami" {
  assert {
    condition     = var.image == null || can(regex("^ami-[0-9a-f]+$", var.image))
    error_message = "image is the id of an AMI in ${var.region}, for example ami-0123456789abcdef0."
  }
}
