//! Notifies the server below the routes as soon as a caller is known: it closes the connections of strangers first.

use std::sync::Arc;

tokio::task_local! {
    static NOTIFY: Arc<dyn Fn() + Send + Sync>;
}

/// Answers a request, and calls back once its caller has shown a valid token, key or signature.
pub async fn notifying_of_callers<F: Future>(
    notify: Arc<dyn Fn() + Send + Sync>,
    answering: F,
) -> F::Output {
    NOTIFY.scope(notify, answering).await
}

/// The caller of this request is known.
pub(crate) fn notify() {
    let _nobody_asked = NOTIFY.try_with(|notify| notify());
}
