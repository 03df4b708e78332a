// Alerts to look at before there are any, and an alert that was posted as one that could be posted again.
import type { Alert, NewAlert } from "./api/generated";

export const sampleAlert: NewAlert = {
  alert_type: "dbt_test_failed",
  title: "orders: 37 rows without a customer",
  severity: "critical",
  description_format: "markdown",
  description:
    "The test `not_null_orders_customer_id` failed.\n\n- 37 of 120,411 rows have no `customer_id`\n- the load of 06:00 was complete\n\n```\nselect count(*) from analytics.orders where customer_id is null\n```",
  fields: [
    { name: "Model", value: "analytics.orders" },
    { name: "Failing rows", value: 37 },
    { name: "Owner", value: "Sales data" },
  ],
  product: { name: "Sales mart" },
  check: { name: "not_null_orders_customer_id" },
  url: "https://dbt.example.com/runs/8421",
};

/** What was posted, from an alert as the API shows it. */
export function asPosted(alert: Alert): NewAlert {
  const { actions, alert_type, check, description, description_format, fields, product, severity, title, url } = alert;
  return { actions, alert_type, check, description, description_format, fields, product, severity, title, url };
}
