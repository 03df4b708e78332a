//! How bad an alert is: four steps, ordered.

use crate::wire_enum::wire_enum;

wire_enum! {
    /// How bad it is, in rising order.
    Severity {
        /// Worth knowing.
        Low = 0, "low";
        /// Worth a look today.
        Medium = 1, "medium";
        /// Needs someone soon.
        High = 2, "high";
        /// Needs someone now.
        Critical = 3, "critical";
    }
}
