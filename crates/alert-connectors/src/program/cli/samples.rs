//! The demo's alerts: what a data team sees in a week, in a few minutes.

use serde_json::{Value, json};

/// The demo posts them in this order, again and again.
pub(super) fn samples() -> Vec<Value> {
    vec![
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Freshness check failed: orders_daily is 7 h late",
            "description": "Last loaded at 05:04 UTC, expected every 24 h.\nUpstream job load_orders exited with code 137.",
            "product": {"name": "Sales mart", "url": "https://data.example.com/products/sales"},
            "check": {"name": "orders_daily freshness"},
            "fields": [{"name": "Environment", "value": "prod"}, {"name": "Rows checked", "value": 1_204_331}],
            "url": "https://data.example.com/alerts/1842", "dedup_key": "freshness:orders_daily",
            "actions": [{"label": "Runbook", "url": "https://runbooks.example.com/freshness"}]}),
        json!({"alert_type": "smart_alert", "severity": "medium", "title": "Row count of web_sessions is 38 % below its usual Monday",
            "description_format": "markdown",
            "description": "Expected **2.1 M to 2.4 M** rows, found `1,302,118`.\n- EU: *-61 %*\n- US: -4 %",
            "check": {"name": "web_sessions volume"}, "url": "https://data.example.com/alerts/1843"}),
        json!({"alert_type": "product_alert", "severity": "low", "title": "Schema of crm.contacts changed: 2 columns added",
            "fields": [{"name": "Added", "value": "consent_source, consent_at"}], "product": {"name": "CRM export"}}),
        json!({"alert_type": "dq_alert", "severity": "high", "title": "Uniqueness check failed: payments.payment_id has 412 duplicates",
            "description": "All of them were loaded between 02:10 and 02:25 UTC by two runs of the same job.",
            "check": {"name": "payment_id is unique"}, "fields": [{"name": "Duplicates", "value": 412}, {"name": "Owner", "value": "payments-data"}],
            "url": "https://data.example.com/alerts/1844"}),
        json!({"alert_type": "smart_alert", "severity": "high", "title": "Null rate of users.country rose from 0.3 % to 18 %",
            "description": "Since the release of the sign-up form at 09:40 UTC.", "product": {"name": "User 360"}}),
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Freshness check passed again: orders_daily",
            "status": "resolved", "dedup_key": "freshness:orders_daily"}),
        json!({"alert_type": "product_alert", "severity": "critical", "title": "Pipeline billing_close did not finish by its deadline",
            "description": "3 of 14 tasks are waiting for the warehouse.", "fields": [{"name": "Deadline", "value": "06:00 UTC"}],
            "url": "https://data.example.com/pipelines/billing_close"}),
        json!({"alert_type": "dq_alert", "severity": "low", "title": "Accepted values: 3 unknown currencies in fx_rates",
            "fields": [{"name": "Values", "value": "XTS, ZZZ, BTC"}]}),
    ]
}
