# Plans with a provider that makes values up: terraform test -verbose

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

override_resource {
  target = google_service_account.push
  values = {
    email  = "retrainer-push@acme-ml.iam.gserviceaccount.com"
    member = "serviceAccount:retrainer-push@acme-ml.iam.gserviceaccount.com"
    name   = "projects/acme-ml/serviceAccounts/retrainer-push@acme-ml.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.trigger
  values = {
    email  = "retrainer-trigger@acme-ml.iam.gserviceaccount.com"
    member = "serviceAccount:retrainer-trigger@acme-ml.iam.gserviceaccount.com"
    name   = "projects/acme-ml/serviceAccounts/retrainer-trigger@acme-ml.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.pipeline
  values = {
    email  = "retrainer-pipeline@acme-ml.iam.gserviceaccount.com"
    member = "serviceAccount:retrainer-pipeline@acme-ml.iam.gserviceaccount.com"
    name   = "projects/acme-ml/serviceAccounts/retrainer-pipeline@acme-ml.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.workers
  values = {
    email  = "retrainer-workers@acme-ml.iam.gserviceaccount.com"
    member = "serviceAccount:retrainer-workers@acme-ml.iam.gserviceaccount.com"
    name   = "projects/acme-ml/serviceAccounts/retrainer-workers@acme-ml.iam.gserviceaccount.com"
  }
}

variables {
  project      = "acme-ml"
  region       = "europe-west1"
  data_bucket  = "acme-ml-data"
  store_bucket = "acme-ml-retrainer"
  image        = "europe-west1-docker.pkg.dev/acme-ml/retrainer-images/orders@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

run "first_apply_has_no_service" {
  command = plan

  variables {
    image = ""
  }

  assert {
    condition     = length(google_cloud_run_v2_service.trigger) == 0 && length(google_pubsub_subscription.push) == 0
    error_message = "Without an image there is nothing to run and nothing to push to."
  }
}

run "pushes_are_authenticated" {
  command = apply

  assert {
    condition = (
      google_pubsub_subscription.push[0].push_config[0].push_endpoint == "https://retrainer-trigger-123456789012.europe-west1.run.app/push"
    )
    error_message = "Pub/Sub pushes to the service's address."
  }

  assert {
    condition = alltrue([
      for env in google_cloud_run_v2_service.trigger[0].template[0].containers[0].env :
      env.value == google_pubsub_subscription.push[0].push_config[0].oidc_token[0].audience
      if env.name == "RETRAINER_TRIGGER_AUDIENCE"
    ])
    error_message = "The service checks the audience that the subscription sets."
  }

  assert {
    condition = alltrue([
      for env in google_cloud_run_v2_service.trigger[0].template[0].containers[0].env :
      env.value == google_pubsub_subscription.push[0].push_config[0].oidc_token[0].service_account_email
      if env.name == "RETRAINER_TRIGGER_PUSH_ACCOUNT"
    ])
    error_message = "The service checks the account that the subscription sets."
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.push_invokes[0].member == google_service_account.push.member
    error_message = "Only the push account may call the service."
  }

  assert {
    condition = contains([
      for env in google_cloud_run_v2_service.trigger[0].template[0].containers[0].env :
      env.value if env.name == "RETRAINER_TRIGGER_AUTH"
    ], "iam")
    error_message = "Cloud Run's IAM replaces the signature of tokens, so the service must not check it."
  }
}

run "messages_that_wait_are_not_given_up" {
  command = apply

  assert {
    condition     = length(google_pubsub_subscription.push[0].dead_letter_policy) == 0
    error_message = "A dead-letter policy counts deliveries, and a message that waits for a limit is delivered many times."
  }

  assert {
    condition     = google_pubsub_subscription.push[0].message_retention_duration == "2678400s"
    error_message = "A message may wait for as long as Pub/Sub keeps one."
  }
}

run "eventarcs_audience_is_let_in_beside_pubsubs" {
  command = plan

  variables {
    extra_audiences = ["https://retrainer-trigger-abc-ew.a.run.app"]
  }

  assert {
    condition = contains([
      for env in google_cloud_run_v2_service.trigger[0].template[0].containers[0].env :
      env.value if env.name == "RETRAINER_TRIGGER_AUDIENCE"
    ], "https://retrainer-trigger-123456789012.europe-west1.run.app,https://retrainer-trigger-abc-ew.a.run.app")
    error_message = "The service lets both audiences in."
  }
}

run "the_trigger_reads_claims_alone_and_creates_records_besides" {
  command = plan

  assert {
    condition = (
      google_storage_bucket_iam_member.trigger_records.role == "roles/storage.objectCreator" &&
      google_storage_bucket_iam_member.trigger_records.condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/acme-ml-retrainer/objects/store/runs/\")"
    )
    error_message = "The trigger creates records of runs, and changes none."
  }

  assert {
    condition = alltrue([
      for grant in google_storage_bucket_iam_member.trigger_claims :
      grant.condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/acme-ml-retrainer/objects/store/claims/\")"
    ])
    error_message = "The trigger's rights on objects end at the folder of claims."
  }

  assert {
    condition = alltrue([
      for grant in google_storage_bucket_iam_member.trigger_incidents :
      grant.condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/acme-ml-retrainer/objects/store/monitoring/incidents/\")"
    ])
    error_message = "The trigger reads incidents and notes their runs, and no more of what monitoring found."
  }

  assert {
    condition = alltrue([
      for env in google_cloud_run_v2_service.trigger[0].template[0].containers[0].env :
      env.value == "gs://acme-ml-retrainer/store/claims" if env.name == "RETRAINER_TRIGGER_CLAIMS"
    ])
    error_message = "The service claims runs in the folder that it may write to."
  }
}

run "tags_are_refused" {
  command = plan

  variables {
    image = "europe-west1-docker.pkg.dev/acme-ml/retrainer-images/orders:latest"
  }

  expect_failures = [var.image]
}

run "tags_of_the_tasks_image_are_refused" {
  command = plan

  variables {
    tasks_image = "europe-west1-docker.pkg.dev/acme-ml/retrainer-images/retrainer:0.1.0"
  }

  expect_failures = [var.tasks_image]
}

run "tasks_run_in_their_own_image" {
  command = plan

  variables {
    tasks_image = "europe-west1-docker.pkg.dev/acme-ml/retrainer-images/retrainer@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  }

  assert {
    condition     = google_cloud_run_v2_service.trigger[0].template[0].containers[0].args[7] == var.tasks_image
    error_message = "The service lacks the image of the tasks."
  }

  assert {
    condition     = google_cloud_run_v2_service.trigger[0].template[0].containers[0].image == var.image
    error_message = "The service runs in another image than its own."
  }
}

run "a_bucket_is_named_without_its_scheme" {
  command = plan

  variables {
    data_bucket = "gs://acme-ml-data"
  }

  expect_failures = [var.data_bucket]
}

run "data_and_store_are_two_buckets" {
  command = plan

  variables {
    store_bucket = "acme-ml-data"
  }

  expect_failures = [var.store_bucket]
}

run "fewer_instances_than_the_least_are_refused" {
  command = plan

  variables {
    min_instances = 5
    max_instances = 2
  }

  expect_failures = [var.max_instances]
}

run "a_schedule_names_its_trigger" {
  command = plan

  variables {
    schedule         = "0 6 * * 1"
    schedule_trigger = "monday"
  }

  assert {
    condition     = google_cloud_scheduler_job.messages[0].pubsub_target[0].attributes["retrainer-trigger"] == "monday"
    error_message = "The message says which trigger it is for."
  }
}

run "without_dataflow_there_is_nothing_of_it" {
  command = plan

  assert {
    condition     = length(google_service_account.workers) == 0 && length(google_project_service.dataflow) == 0
    error_message = "Dataflow is asked for by dataflow = true."
  }
}

run "tasks_start_dataflow_jobs_that_run_as_the_workers" {
  command = apply

  variables {
    dataflow = true
  }

  assert {
    condition = (
      google_project_iam_member.pipeline_starts_dataflow[0].member == google_service_account.pipeline.member &&
      google_service_account_iam_member.pipeline_acts_as_workers[0].member == google_service_account.pipeline.member &&
      google_service_account_iam_member.pipeline_acts_as_workers[0].service_account_id == google_service_account.workers[0].name
    )
    error_message = "The tasks' account starts jobs, and may act as the workers' account alone."
  }

  assert {
    condition = alltrue([
      for grant in [
        google_project_iam_member.workers_work[0],
        google_storage_bucket_iam_member.workers_store[0],
        google_storage_bucket_iam_member.workers_read_data[0],
        google_artifact_registry_repository_iam_member.workers_pull[0],
      ] : grant.member == google_service_account.workers[0].member
    ])
    error_message = "Workers work, read and write, and pull their image."
  }

  assert {
    condition     = output.worker_service_account == "retrainer-workers@acme-ml.iam.gserviceaccount.com"
    error_message = "The account is an output, for service_account_email."
  }
}
