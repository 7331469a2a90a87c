variable "project" {
  description = "Google Cloud project, by its id."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id has 6 to 30 lower case letters, digits and dashes, a letter first."
  }
}

variable "region" {
  description = "Region of all resources, such as europe-west1; the data bucket should be in the same region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region looks like europe-west1; a zone such as europe-west1-b is none."
  }
}

variable "name" {
  description = "Prefix of all resource names; change it to deploy a second instance in the project."
  type        = string
  default     = "retrainer"

  validation {
    # An account's id has at most 30 characters, and the longest suffix is "-pipeline".
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "4 to 20 lower case letters, digits and dashes, a letter first."
  }
}

variable "image" {
  description = "Image of the trigger service by its digest, with retrain.yaml in /config. Leave it empty for the first apply, which creates the registry that the image is pushed to: then there is no service and no push subscription."
  type        = string
  default     = ""

  validation {
    condition     = var.image == "" || can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest, <registry>/<name>@sha256:<64 digits>: a tag can be moved, and then what runs is not what was applied."
  }
}

variable "tasks_image" {
  description = "Image of the pipeline's tasks, by its digest. If empty, the trigger service's image, which must then be built on retrainer and not on retrainer-trigger."
  type        = string
  default     = ""

  validation {
    condition     = var.tasks_image == "" || can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.tasks_image))
    error_message = "Name the image by its digest, <registry>/<name>@sha256:<64 digits>: a tag can be moved, and then what runs is not what was applied."
  }
}

variable "data_bucket" {
  description = "Bucket that spans land in, without gs://. It must exist; Terraform adds a notification and a grant to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.data_bucket))
    error_message = "Name the bucket alone, without gs:// and without a folder."
  }
}

variable "data_prefix" {
  description = "Only objects whose names start with this are published, such as sales/; all objects if empty."
  type        = string
  default     = ""

  validation {
    condition     = !startswith(var.data_prefix, "/") && !can(regex("[{*?]", var.data_prefix))
    error_message = "A plain start of object names: no slash first, and no pattern. The pattern is in retrain.yaml."
  }
}

variable "store_bucket" {
  description = "Bucket of the store, without gs://. Terraform creates it, and does not delete it while objects are in it."
  type        = string

  validation {
    condition     = var.store_bucket != var.data_bucket
    error_message = "Not the data bucket: that one must exist, and this one is made, so that the accounts' rights can differ."
  }

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.store_bucket))
    error_message = "Name the bucket alone, without gs:// and without a folder."
  }
}

variable "store_folder" {
  description = "Folder of the store within its bucket: `store` in retrain.yaml is gs://<store_bucket>/<store_folder>."
  type        = string
  default     = "store"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.store_folder))
    error_message = "A path without a slash at either end, such as store or orders/store."
  }
}

variable "min_instances" {
  description = "Minimum instances of the trigger service. 0 costs nothing when idle; the first message then waits for a cold start."
  type        = number
  default     = 0

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= 10
    error_message = "0 to 10."
  }
}

variable "max_instances" {
  description = "Maximum instances of the trigger service."
  type        = number
  default     = 3

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100 && var.max_instances >= var.min_instances
    error_message = "1 to 100, and no fewer than min_instances."
  }
}

variable "extra_audiences" {
  description = "Accepted token audiences besides the address that Pub/Sub pushes to: Eventarc's is the address that `gcloud run services describe` shows."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for audience in var.extra_audiences : can(regex("^https://[^,[:space:]]+$", audience))])
    error_message = "Each is an address that begins with https://."
  }
}

variable "dataflow" {
  description = "Whether components may run on Dataflow, as the section engine of retrain.yaml says: adds its API, an account for its workers and the grants of both accounts."
  type        = bool
  default     = false
}

variable "schedule" {
  description = "When Cloud Scheduler publishes to the trigger named schedule_trigger, as a cron expression of five fields; never if empty."
  type        = string
  default     = ""

  validation {
    condition     = var.schedule == "" || length(split(" ", var.schedule)) == 5
    error_message = "Five fields with one space between: minute, hour, day of the month, month, day of the week."
  }
}

variable "schedule_time_zone" {
  description = "Time zone of the schedule, by its name in the IANA database."
  type        = string
  default     = "Etc/UTC"
}

variable "schedule_trigger" {
  description = "Name of the trigger of kind schedule in retrain.yaml."
  type        = string
  default     = "weekly"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.schedule_trigger))
    error_message = "A trigger's name: lower case letters, digits and dashes, a letter first, at most 40 characters."
  }
}

variable "request_publishers" {
  description = "Who may ask for runs by publishing to the topic, such as group:ml@example.com, for triggers of kind request."
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([
      for member in var.request_publishers : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))
    ])
    error_message = "Each is user:, group:, serviceAccount:, principal: or principalSet: and who."
  }
}

variable "submitters" {
  description = "Who may run `retrainer submit` and `retrainer schedule` with the pipeline's account, such as group:ml@example.com."
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([
      for member in var.submitters : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))
    ])
    error_message = "Each is user:, group:, serviceAccount:, principal: or principalSet: and who."
  }
}

variable "notification_channels" {
  description = "Cloud Monitoring channels that are notified of dead letters, of messages that fail and of a backlog, projects/<project>/notificationChannels/<number>."
  type        = list(string)
  default     = []
}

variable "longest_wait_hours" {
  description = "Hours that a message may wait before the channels are notified. Must exceed the longest wait that your triggers' limits cause."
  type        = number
  default     = 36

  validation {
    condition     = var.longest_wait_hours >= 1 && var.longest_wait_hours <= 720
    error_message = "1 to 720 hours: after 30 days a message becomes a dead letter."
  }
}
