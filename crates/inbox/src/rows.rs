//! The known answers of Slack and Teams by name, so that a path can be told to give any of them.

/// One known answer.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, such as `slack:no_service`.
    pub name: &'static str,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'static str,
    /// `Retry-After`, where it comes with one.
    pub retry_after: Option<&'static str>,
}

const fn row(name: &'static str, status: u16, body: &'static str) -> Row {
    Row {
        name,
        status,
        body,
        retry_after: None,
    }
}

macro_rules! connector_error {
    ($status:literal) => {
        concat!(
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ",
            $status,
            " with ContextId tcid=0"
        )
    };
}

macro_rules! code {
    ($code:literal) => {
        concat!(
            "{\"error\":{\"code\":\"",
            $code,
            "\",\"message\":\"The request was refused.\"}}"
        )
    };
}

/// All of them.
pub const ROWS: &[Row] = &[
    row("slack:ok", 200, "ok"),
    row("slack:workflow_ok", 200, "{\"ok\":true}"),
    row("slack:empty", 200, ""),
    row(
        "slack:not_ok",
        200,
        "{\"ok\":false,\"error\":\"invalid_auth\"}",
    ),
    row("slack:html", 200, "<html><body>Sign in</body></html>"),
    row("slack:redirect", 302, ""),
    row(
        "any:firewall",
        403,
        "<!doctype html><title>Request blocked</title>",
    ),
    Row {
        name: "any:busy",
        status: 503,
        body: "",
        retry_after: Some("2"),
    },
    row("slack:invalid_payload", 400, "invalid_payload"),
    row("slack:invalid_blocks", 400, "invalid_blocks"),
    row("slack:invalid_blocks_format", 400, "invalid_blocks_format"),
    row("slack:invalid_attachments", 400, "invalid_attachments"),
    row("slack:msg_blocks_too_long", 400, "msg_blocks_too_long"),
    row("slack:msg_too_long", 400, "msg_too_long"),
    row("slack:no_text", 400, "no_text"),
    row(
        "slack:missing_text",
        400,
        "missing_text_or_fallback_or_attachments",
    ),
    row("slack:too_many_attachments", 400, "too_many_attachments"),
    row("slack:user_not_found", 400, "user_not_found"),
    row(
        "slack:posting_to_general_channel_denied",
        403,
        "posting_to_general_channel_denied",
    ),
    row("slack:action_prohibited", 403, "action_prohibited"),
    row("slack:invalid_token", 403, "invalid_token"),
    row("slack:team_disabled", 403, "team_disabled"),
    row("slack:channel_not_found", 404, "channel_not_found"),
    row("slack:no_service", 404, "no_service"),
    row("slack:no_active_hooks", 404, "no_active_hooks"),
    row("slack:no_service_id", 404, "no_service_id"),
    row("slack:no_team", 404, "no_team"),
    row("slack:channel_is_archived", 410, "channel_is_archived"),
    Row {
        name: "slack:rate_limited",
        status: 429,
        body: "{\"retry_after\":1,\"ok\":false,\"error\":\"rate_limited\"}",
        retry_after: Some("1"),
    },
    row("slack:rollup_error", 500, "rollup_error"),
    row("slack:unavailable", 503, ""),
    row("slack:too_large", 413, ""),
    row("slack:method_not_allowed", 405, ""),
    row("office365:ok", 200, "1"),
    row("office365:throttled", 200, connector_error!("429")),
    row("office365:too_large", 200, connector_error!("413")),
    row("office365:bad_card", 200, connector_error!("400")),
    row("office365:forbidden", 200, connector_error!("403")),
    row("office365:not_found", 200, connector_error!("404")),
    row("office365:fault", 200, connector_error!("500")),
    row(
        "office365:contact",
        200,
        "Webhook message delivery failed with error: Error contacting Microsoft Teams endpoint",
    ),
    row(
        "office365:text_required",
        400,
        "Summary or Text is required.",
    ),
    row(
        "office365:bad_payload",
        400,
        "Bad payload received by generic incoming webhook.",
    ),
    row("office365:gone", 410, ""),
    row("workflow:accepted", 202, ""),
    row("workflow:response", 200, ""),
    row(
        "workflow:turned_off",
        400,
        code!("WorkflowTriggerIsNotEnabled"),
    ),
    row(
        "workflow:schema_mismatch",
        400,
        code!("TriggerInputSchemaMismatch"),
    ),
    row(
        "workflow:invalid_content",
        400,
        code!("InvalidRequestContent"),
    ),
    row(
        "workflow:query_lost",
        400,
        code!("MissingApiVersionParameter"),
    ),
    row(
        "workflow:invalid_api_version",
        400,
        code!("InvalidApiVersionParameter"),
    ),
    row(
        "workflow:two_authorizations",
        401,
        code!("DirectApiRequestHasMoreThanOneAuthorization"),
    ),
    row(
        "workflow:authorization_required",
        401,
        code!("DirectApiAuthorizationRequired"),
    ),
    row(
        "workflow:invalid_scheme",
        401,
        code!("DirectApiInvalidAuthorizationScheme"),
    ),
    row(
        "workflow:invalid_signature",
        401,
        code!("DirectApiInvalidAuthorizationSignature"),
    ),
    row(
        "workflow:authorization_failed",
        403,
        code!("AuthorizationFailed"),
    ),
    row("workflow:not_found", 404, code!("WorkflowNotFound")),
    row(
        "workflow:trigger_not_found",
        404,
        code!("WorkflowTriggerNotFound"),
    ),
    row(
        "workflow:trigger_version_not_found",
        404,
        code!("WorkflowTriggerVersionNotFound"),
    ),
    row("workflow:routing_fault", 404, code!("ResourceNotFound")),
    Row {
        name: "workflow:throttled",
        status: 429,
        body: code!("WorkflowRequestsThrottled"),
        retry_after: Some("5"),
    },
    row("workflow:no_response", 502, code!("NoResponse")),
    row("workflow:gateway_timeout", 504, code!("GatewayTimeout")),
    row("workflow:internal_error", 500, code!("InternalServerError")),
];

impl Row {
    /// The row of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.name == name)
    }
}
