//! The demo's alerts: what a data team sees in a week, in a few minutes.

use serde_json::{Value, json};

/// The demo posts these in this order, one after the other, again and again. Some come together.
pub(super) fn samples() -> Vec<Vec<Value>> {
    let one_by_one = |alerts: Vec<Value>| alerts.into_iter().map(|alert| vec![alert]);
    let mut samples: Vec<Vec<Value>> = one_by_one(a_bad_morning()).collect();
    samples.push(a_storm());
    samples.extend(one_by_one(a_long_day()));
    samples
}

/// A problem opens, gets worse and ends, among others.
fn a_bad_morning() -> Vec<Value> {
    vec![
        json!({"alert_type": "dq_alert", "severity": "high", "title": "Freshness check failed: orders_daily is 7 h late",
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
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Freshness check failed: orders_daily is 9 h late",
            "description": "The morning report reads it in 20 minutes.",
            "dedup_key": "freshness:orders_daily"}),
        json!({"alert_type": "smart_alert", "severity": "high", "title": "Null rate of users.country rose from 0.3 % to 18 %",
            "description": "Since the release of the sign-up form at 09:40 UTC.", "product": {"name": "User 360"}}),
        json!({"alert_type": "product_alert", "severity": "critical", "title": "Pipeline billing_close did not finish by its deadline",
            "description": "3 of 14 tasks are waiting for the warehouse.", "fields": [{"name": "Deadline", "value": "06:00 UTC"}],
            "url": "https://data.example.com/pipelines/billing_close", "dedup_key": "pipeline:billing_close"}),
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Freshness check passed again: orders_daily",
            "status": "resolved", "dedup_key": "freshness:orders_daily"}),
        json!({"alert_type": "dq_alert", "severity": "low", "title": "Accepted values: 3 unknown currencies in fx_rates",
            "fields": [{"name": "Values", "value": "XTS, ZZZ, BTC"}]}),
        json!({"alert_type": "smart_alert", "severity": "low", "title": "Average basket value drifts: 41.20 to 38.90 in six weeks",
            "fields": [{"name": "Trend", "value": "-0.9 % a week"}]}),
    ]
}

/// A source breaks, and every test that reads it fails at once: more than a channel takes one by one.
fn a_storm() -> Vec<Value> {
    let models = [
        "orders",
        "order_items",
        "refunds",
        "shipments",
        "invoices",
        "customers",
        "carts",
        "coupons",
    ];
    let tests = ["not_null", "unique", "relationships", "freshness"];
    let failures = models
        .iter()
        .flat_map(|model| tests.map(|test| (model, test)));
    let alert = |(at, (model, test)): (usize, (&&str, &str))| {
        json!({"alert_type": "dq_alert", "severity": if at % 7 == 0 { "critical" } else { "high" },
            "title": format!("dbt test {test}_{model} failed"),
            "description": "The source shop_eu answers with an empty schema.",
            "fields": [{"name": "Model", "value": format!("shop.{model}")}]})
    };
    failures.enumerate().map(alert).collect()
}

fn a_long_day() -> Vec<Value> {
    vec![
        json!({"alert_type": "product_alert", "severity": "critical", "title": "Pipeline billing_close finished, 48 min late",
            "status": "resolved", "dedup_key": "pipeline:billing_close"}),
        json!({"alert_type": "dq_alert", "severity": "high", "title": "Referential integrity: 1,204 order items without an order",
            "description": "```\nSELECT count(*) FROM order_items i\nLEFT JOIN orders o USING (order_id)\nWHERE o.order_id IS NULL\n```",
            "description_format": "markdown", "check": {"name": "order_items.order_id exists"},
            "url": "https://data.example.com/alerts/1851"}),
        json!({"alert_type": "smart_alert", "severity": "high", "title": "Query cost of the warehouse is 4.1 times its usual Tuesday",
            "description_format": "markdown",
            "description": "| Warehouse | Usual | Today |\n|---|---|---|\n| etl_l | 120 | 610 |\n| bi_m | 40 | 55 |",
            "product": {"name": "Cost watch"}}),
        json!({"alert_type": "product_alert", "severity": "medium", "title": "Contract of events.checkout is broken: field price is text",
            "fields": [{"name": "Producer", "value": "checkout-service 4.12.0"}, {"name": "Consumers", "value": 6}],
            "url": "https://data.example.com/contracts/events.checkout",
            "actions": [{"label": "Contract", "url": "https://data.example.com/contracts/events.checkout"},
                {"label": "Who reads it", "url": "https://data.example.com/lineage/events.checkout"}]}),
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Reconciliation failed: ledger and payments differ by 18,204.55 EUR",
            "description": "41 bookings of yesterday are missing in the ledger.",
            "check": {"name": "ledger = payments"}, "fields": [{"name": "Difference", "value": "18,204.55 EUR"}],
            "dedup_key": "reconciliation:ledger"}),
        json!({"alert_type": "smart_alert", "severity": "medium", "title": "Latency of stream clicks rose to 14 min",
            "fields": [{"name": "Lag", "value": "14 min"}, {"name": "Partition", "value": 7}]}),
        json!({"alert_type": "product_alert", "severity": "low", "title": "Dashboard Weekly KPIs was not opened for 60 days",
            "product": {"name": "Weekly KPIs"}}),
        json!({"alert_type": "dq_alert", "severity": "high", "title": "Volume: stock_levels received 0 rows",
            "description": "The supplier's file of 04:00 UTC is empty; the one of 03:00 UTC had 88,112 rows.",
            "check": {"name": "stock_levels volume"}, "dedup_key": "volume:stock_levels"}),
        json!({"alert_type": "smart_alert", "severity": "high", "title": "Share of card payments fell from 61 % to 22 % within an hour",
            "description": "Only in DE and AT, and only on the web.", "product": {"name": "Payments"}}),
        json!({"alert_type": "dq_alert", "severity": "high", "title": "Volume: stock_levels is complete again",
            "status": "resolved", "dedup_key": "volume:stock_levels"}),
        json!({"alert_type": "dq_alert", "severity": "critical", "title": "Ledger and payments agree again",
            "status": "resolved", "dedup_key": "reconciliation:ledger"}),
        json!({"alert_type": "product_alert", "severity": "medium", "title": "Access to hr.salaries was granted to 3 more people",
            "fields": [{"name": "Granted by", "value": "terraform"}], "url": "https://data.example.com/access/hr.salaries"}),
    ]
}
