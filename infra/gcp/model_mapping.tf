# From models to machine and disk. The provider's catalogue knows what each model needs; without an
# entry in model_mapping the node gets the cheapest machine that holds all models, and a disk for
# their files. An entry says otherwise for one model:
#
#   model_mapping = {
#     "llama3.1:8b" = { machine_types = ["g2-standard-8", "g2-standard-4"], disk_gib = 100 }
#   }

data "llm_model" "served" {
  for_each = toset(var.models)

  name           = each.value
  runtime        = var.runtime
  context_tokens = var.context_tokens
}

data "llm_gpu_offers" "fitting" {
  count = length(var.models) > 0 ? 1 : 0

  cloud          = "gcp"
  models         = var.models
  runtime        = var.runtime
  context_tokens = var.context_tokens
}

locals {
  # Machines: those that the mapping names for the models served, as far as all models fit; null
  # lets the provider choose.
  offers             = flatten(data.llm_gpu_offers.fitting[*].offers)
  entries            = [for model in concat(var.models, var.custom_model[*].name) : var.model_mapping[model] if contains(keys(var.model_mapping), model)]
  mapped_machines    = distinct(flatten(local.entries[*].machine_types))
  usable_machines    = [for type in local.mapped_machines : type if length(var.models) == 0 || contains(local.offers[*].machine_type, type)]
  machine_candidates = length(local.usable_machines) > 0 ? local.usable_machines : null

  # Why the others will not do, with the figures of each machine. gpu_fit knows what Ollama needs.
  mapping_fits = length(local.mapped_machines) == 0 || length(local.usable_machines) > 0
  mapping_error = join("\n", concat(
    ["model_mapping names no machine that holds ${join(", ", var.models)} with ${var.context_tokens} tokens of context:"],
    [for type, reason in local.misfits : "  ${type}: ${reason}"],
  ))
  fits = {
    for type in setsubtract(local.mapped_machines, local.usable_machines) :
    type => try(provider::llm::gpu_fit(var.models, var.context_tokens, type), null)
  }
  misfits = {
    for type, fit in local.fits : type => (
      try(fit.fits, true) ? "not a machine of the catalogue, or not one for ${var.runtime}" :
      "${fit.reason}: ${fit.needed_gib} GiB needed, ${fit.usable_gib} GiB usable on ${fit.gpu_count} × ${fit.gpu}"
    )
  }

  # Disk: what the mapping says, else what the files take; by the provider's rule (a tenth and 10
  # GiB more, whole tens). Without any entry the provider does it by itself.
  files_gib = merge(
    { for model, facts in data.llm_model.served : model => facts.disk_gib },
    { for model in var.custom_model[*] : model.name => model.disk_gib },
  )
  disk_gib      = { for model, files in local.files_gib : model => coalesce(try(var.model_mapping[model].disk_gib, null), files) }
  maps_disk     = anytrue([for entry in local.entries : entry.disk_gib != null])
  disk_size_gib = local.maps_disk ? max(30, 10 * ceil(sum(values(local.disk_gib)) * 1.1 / 10 + 1)) : null

  # For the output: what is needed, and the first machines in question.
  model_mapping = {
    models   = { for model, gib in local.disk_gib : model => { memory_gib = try(data.llm_model.served[model].memory_gib, var.custom_model.memory_gib), disk_gib = gib } }
    machines = slice(local.shown_machines, 0, min(5, length(local.shown_machines)))
  }
  shown_machines = [
    for offer in local.offers : { type = offer.machine_type, gpu = offer.gpu, gpu_count = offer.gpu_count, usd_per_hour = offer.usd_per_hour }
    if local.machine_candidates == null || contains(local.usable_machines, offer.machine_type)
  ]
}
