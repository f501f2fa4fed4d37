from django.urls import path

from tocsin.chat import views

urlpatterns = [
    path("chat/slack/actions/", views.actions, name="slack-actions"),
    path("chat/slack/commands/", views.commands, name="slack-commands"),
    path("chat/slack/events/", views.events, name="slack-events"),
    path("chat/link/<str:token>/", views.link, name="chat-link"),
]
