//! What becomes of what tools post to a webhook of Teams.

use alert_connectors_ingest::HookShape;
use alert_connectors_model::Severity;
use serde_json::json;

use super::{alert, fields, links, read};

#[test]
fn a_message_card_is_read_with_or_without_its_type() {
    let card = json!({"title": "Load failed", "text": "The load of **orders** failed.", "themeColor": "8C1A1A",
        "potentialAction": [
            {"@type": "ViewAction", "name": "Open", "target": ["https://a.example"]},
            {"@type": "OpenUri", "name": "Log", "targets": [{"os": "default", "uri": "https://b.example"}]}],
        "sections": [{"activityTitle": "load_orders", "activitySubtitle": "run 1", "facts": [{"name": "Rows:", "value": "0"}]}]});
    let (alert, shape) = read(&card).unwrap();
    assert_eq!(shape, HookShape::MessageCard);
    assert_eq!(
        (alert.title.as_str(), alert.severity),
        ("Load failed", Severity::High)
    );
    assert_eq!(
        alert.description.as_deref(),
        Some("The load of **orders** failed.\n\n**load_orders**\n\nrun 1")
    );
    assert_eq!(fields(&alert), ["Rows=0"]);
    assert_eq!(
        links(&alert),
        ["Open https://a.example/", "Log https://b.example/"]
    );
    let typed = json!({"@type": "MessageCard", "@context": "http://schema.org/extensions", "text": "only text"});
    let (alert, shape) = read(&typed).unwrap();
    assert_eq!(
        (alert.title.as_str(), shape),
        ("only text", HookShape::MessageCard)
    );
    let summary = json!({"@type": "MessageCard", "summary": "in short", "sections": [{"facts": [{"name": "a", "value": "b"}]}]});
    assert_eq!(read(&summary).unwrap().0.title, "in short");
}

#[test]
fn an_adaptive_card_is_read_bare_and_in_a_message() {
    let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": [
        {"type": "Container", "style": "attention", "items": [{"type": "TextBlock", "text": "Disk is full", "weight": "bolder"}]},
        {"type": "ColumnSet", "columns": [{"type": "Column", "items": [{"type": "TextBlock", "text": "/var on *db-1*"}]}]},
        {"type": "RichTextBlock", "inlines": ["free: ", {"type": "TextRun", "text": "0"}]},
        {"type": "FactSet", "facts": [{"title": "Host:", "value": "db-1"}]},
        {"type": "Table", "rows": [{"type": "TableRow", "cells": [{"type": "TableCell", "items": [{"type": "TextBlock", "text": "cell"}]}]}]},
        {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "Runbook", "url": "https://a.example"}]}],
        "actions": [{"type": "Action.OpenUrl", "title": "View", "url": "https://b.example"}, {"type": "Action.Submit", "title": "Ack"}]});
    let message = json!({"type": "message", "attachments": [
        {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card.clone()}]});
    for body in [card, message] {
        let (alert, shape) = read(&body).unwrap();
        let is_message = body["type"] == "message";
        assert_eq!(shape == HookShape::Message, is_message);
        assert_eq!(
            (alert.title.as_str(), alert.severity),
            ("Disk is full", Severity::High)
        );
        assert_eq!(
            alert.description.as_deref(),
            Some("/var on *db-1*\n\nfree: 0\n\ncell")
        );
        assert_eq!(fields(&alert), ["Host=db-1"]);
        assert_eq!(
            links(&alert),
            ["Runbook https://a.example/", "View https://b.example/"]
        );
    }
}

#[test]
fn messages_of_teams_may_hold_text_alone_or_a_message_card() {
    let (text, shape) =
        read(&json!({"type": "message", "text": "Load failed\nsee the log"})).unwrap();
    assert_eq!(
        (text.title.as_str(), shape),
        ("Load failed", HookShape::Message)
    );
    let card = json!({"type": "message", "attachments": [
        {"contentType": "application/vnd.microsoft.teams.card.o365connector", "content": {"title": "A card", "text": "of old"}}]});
    let (old, shape) = read(&card).unwrap();
    assert_eq!((old.title.as_str(), shape), ("A card", HookShape::Message));
    assert_eq!(old.description.as_deref(), Some("of old"));
}

#[test]
fn what_a_card_hides_behind_a_click_is_shown() {
    let body = json!({"type": "AdaptiveCard", "selectAction": {"type": "Action.OpenUrl", "url": "https://a.example/card"}, "body": [
        {"type": "TextBlock", "text": "Disk is full"},
        {"type": "CodeBlock", "codeSnippet": "df -h\n", "language": "bash"},
        {"type": "ImageSet", "images": [{"type": "Image", "altText": "graph", "url": "https://a.example/graph.png"}]},
        {"type": "Container", "items": [], "selectAction": {"type": "Action.OpenUrl", "title": "Host", "url": "https://a.example/host"}}],
        "actions": [{"type": "Action.ShowCard", "title": "More", "card": {"type": "AdaptiveCard", "body": [
            {"type": "TextBlock", "text": "since 5:00"}],
            "actions": [{"type": "Action.OpenUrl", "title": "Log", "url": "https://a.example/log"}]}}]});
    let alert = alert(&body);
    assert_eq!(
        alert.description.as_deref(),
        Some("```\ndf -h\n```\n\nsince 5:00")
    );
    assert_eq!(
        links(&alert),
        [
            "graph https://a.example/graph.png",
            "Host https://a.example/host",
            "Log https://a.example/log",
            "Open https://a.example/card"
        ]
    );
}

/// Slack's own messages name their type, too.
#[test]
fn a_message_with_what_slack_attaches_is_slacks() {
    let body = json!({"type": "message", "text": "t", "attachments": [{"color": "danger", "text": "of Slack"}]});
    let (alert, shape) = read(&body).unwrap();
    assert_eq!(shape, HookShape::Slack);
    assert_eq!(alert.description.as_deref(), Some("of Slack"));
}
