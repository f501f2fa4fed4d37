from django.urls import URLPattern, URLResolver, include, path, re_path

from tocsin.api import (
    definitions,
    deliveries,
    events,
    fleet,
    logs,
    monitors,
    notify,
    opsgenie,
    pipelines,
    routes,
    twilio,
)
from tocsin.api.alertmanager.urls import URLS as ALERTMANAGER
from tocsin.api.commands import take as take_commands
from tocsin.api.enroll import enroll
from tocsin.api.lists import LISTS, listed
from tocsin.api.preview import preview
from tocsin.api.views import healthz, metrics, readyz

OPSGENIE: list[URLPattern] = [
    path("v2/alerts", opsgenie.listed),
    path("v2/alerts/count", opsgenie.count),
    path("v2/alerts/requests/<str:asked>", opsgenie.processed),
    path("v2/alerts/<path:alert>", opsgenie.one),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/healthz", healthz, name="healthz"),
    path("api/readyz", readyz, name="readyz"),
    path("health", healthz),
    path("ready", readyz),
    path("metrics", metrics, name="metrics"),
    *ALERTMANAGER,
    path("api/v1/monitors/", monitors.monitors, name="api-monitors"),
    path("api/v1/monitors/<str:monitor>/", monitors.one, name="api-monitor"),
    path("api/v1/monitors/<str:monitor>/run/", monitors.run, name="api-monitor-run"),
    path("api/v1/routes/", routes.tree, name="api-routes"),
    path("api/v1/routes/test/", routes.test, name="api-routes-test"),
    path("api/v1/deliveries/resend/", deliveries.resend, name="api-deliveries-resend"),
    path("api/v1/deliveries/<str:delivery>/", deliveries.one, name="api-delivery"),
    path("notify/send/", notify.send, name="notify-send"),
    path("notify/send/<str:driver>/", notify.send, name="notify-send-by-driver"),
    path("notify/batch/", notify.batch, name="notify-batch"),
    path("notify/drivers/", notify.listed, name="notify-drivers"),
    path("notify/drivers/<str:driver>/", notify.one, name="notify-driver"),
    *(path(f"api/v1/{name}/", listed, {"name": name}, name=f"api-{name}") for name in LISTS),
    path("api/events", events.take, name="api-events"),
    path("api/health/events/recent", events.recent, name="recent-events"),
    path("health/events/recent", events.recent),
    path("api/health/summary", fleet.summary, name="api-health-summary"),
    path("api/fleet/state", fleet.state, name="api-fleet-state"),
    path("api/fleet/commands/", take_commands, name="api-fleet-commands"),
    path("api/logs", logs.lines, name="api-logs"),
    path("orchestration/pipeline/", pipelines.start, name="pipeline-start"),
    path("orchestration/pipeline/sync/", pipelines.start, {"wait": True}, name="pipeline-sync"),
    path("orchestration/pipelines/", pipelines.runs, name="pipeline-runs"),
    path("orchestration/pipeline/<str:run>/", pipelines.one, name="pipeline-run"),
    path("orchestration/pipeline/<str:run>/resume/", pipelines.resume, name="pipeline-resume"),
    path("orchestration/pipeline/<str:run>/approve/", pipelines.approve, name="pipeline-approve"),
    path("orchestration/definitions/", definitions.listed, name="api-definitions"),
    path("orchestration/definitions/<str:name>/", definitions.one, name="api-definition"),
    path("orchestration/definitions/<str:name>/validate/", definitions.validate, name="api-validate"),
    path("orchestration/definitions/<str:name>/execute/", definitions.execute, name="api-execute"),
    path("api/v1/enroll/", enroll, name="enroll"),
    path("api/twilio/incidents/<int:incident_id>/", twilio.pressed, name="twilio-pressed"),
    path("api/v1/preview/", preview, name="preview"),
    path("api/v1/preview/<str:driver>/", preview, name="preview-by-driver"),
    # A path of its own may stand before it; below /api it is Alertmanager's.
    re_path(r"^(?:[\w.~-]+/)*?(?<!api/)(?=v2/alerts)", include(OPSGENIE)),
]
