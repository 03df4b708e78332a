//! What tools post to a channel's incoming webhook, of Slack or of Teams, as one alert.

mod colour;
mod mrkdwn;
mod post;
mod rich_text;
mod said;
mod severity;
mod slack;
mod teams;

use std::borrow::Cow;

use alert_connectors_model::{AlertStatus, Fault, Json, Loc, ObjectReader, ParsedAlert, Severity};
use jiff::Timestamp;

use self::post::Post;
use crate::{
    draft::Draft,
    severity_words::severity_of,
    values::{action, field, text},
};

/// The shape of a post, by which the tool expects its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookShape {
    /// A message of Slack's.
    Slack,
    /// A card of the retired Office 365 connectors.
    MessageCard,
    /// A message of a Teams workflow, with a text or cards.
    Message,
    /// An Adaptive Card by itself.
    AdaptiveCard,
}

/// Why a post becomes no alert, in the words of the platform that it is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookRefusal(pub &'static str);

/// What the address of a hook says of its alerts.
#[derive(Debug, Clone, Copy)]
pub struct HookOptions<'o> {
    /// Their type.
    pub alert_type: &'o str,
    /// Their severity; by the words and colours of each post if `None`.
    pub severity: Option<Severity>,
}

impl HookRefusal {
    /// What is no object, or holds a list in another form.
    pub const INVALID: Self = Self("invalid_payload");
    /// A message of Slack's that shows nothing.
    const NO_TEXT: Self = Self("no_text");
    /// A card that shows nothing, in the words of an Office 365 connector.
    const NO_SUMMARY: Self = Self("Summary or Text is required.");
}

/// Reads a post; `now` is the time of the alert.
pub fn read_hook(
    body: Json<'_>,
    options: HookOptions<'_>,
    now: Timestamp,
) -> Result<(ParsedAlert, HookShape), HookRefusal> {
    let has_cards = has_cards(&body);
    let mut body = ObjectReader::new(body).map_err(|_other| HookRefusal::INVALID)?;
    let mut post = Post::default();
    let shape = shape_of(&mut body, has_cards);
    match shape {
        HookShape::Slack => slack::read(body, &mut post)?,
        HookShape::MessageCard => teams::read_message_card(body, &mut post),
        HookShape::Message => teams::read_message(body, &mut post),
        HookShape::AdaptiveCard => teams::read_card(body, &mut post),
    }
    let nothing = match shape {
        HookShape::Slack => HookRefusal::NO_TEXT,
        HookShape::MessageCard | HookShape::Message | HookShape::AdaptiveCard => {
            HookRefusal::NO_SUMMARY
        }
    };
    let title = post.take_title().ok_or(nothing)?;
    let alert = alert_of(post, &title, options, now).map_err(|_faults| HookRefusal::INVALID)?;
    Ok((alert, shape))
}

/// Names that stand in a `MessageCard` and in no message of Slack's. Not every library says `@type`.
const CARD_NAMES: [&str; 7] = [
    "@type",
    "@context",
    "title",
    "summary",
    "themeColor",
    "sections",
    "potentialAction",
];

/// Whether what is attached to a message are cards, which say what they contain. A message with nothing attached may be either
/// platform's: it is read the same.
fn has_cards(body: &Json<'_>) -> bool {
    match field_of(body, "attachments") {
        Some(Json::List(attached)) => attached
            .iter()
            .all(|one| field_of(one, "contentType").is_some()),
        _ => field_of(body, "blocks").is_none(),
    }
}

fn field_of<'b, 'j>(value: &'b Json<'j>, name: &str) -> Option<&'b Json<'j>> {
    let Json::Object(fields) = value else {
        return None;
    };
    let mut fields = fields.iter();
    fields.find_map(|(known, value)| (known == name).then_some(value))
}

/// What a body is by its type and the names in it.
fn shape_of(body: &mut ObjectReader<'_>, has_cards: bool) -> HookShape {
    match text(body.take("type")).as_deref() {
        // What Slack itself sends says so, too.
        Some("message") if has_cards => HookShape::Message,
        Some("AdaptiveCard") => HookShape::AdaptiveCard,
        _ if body.left_over().any(|name| CARD_NAMES.contains(&name)) => HookShape::MessageCard,
        _ => HookShape::Slack,
    }
}

fn alert_of(
    mut post: Post,
    title: &str,
    options: HookOptions<'_>,
    now: Timestamp,
) -> Result<ParsedAlert, Vec<Fault>> {
    let mut draft = Draft::new(Loc::body(), None);
    draft.alert_type(options.alert_type);
    draft.text("title", title);
    let problem = Problem::of(title, post.url.as_deref());
    let is_over = problem.is_some_and(|problem| problem.is_over);
    draft.status(if is_over {
        AlertStatus::Resolved
    } else {
        AlertStatus::Active
    });
    let severity = options.severity;
    draft.severity(severity.unwrap_or_else(|| severity::of(title, post.colour)));
    if let Some(Problem { name, .. }) = problem {
        draft.text("dedup_key", format!("hook:{}:{name}", options.alert_type));
    }
    post.spell_out_what_has_no_place(title);
    if !post.paragraphs.is_empty() {
        draft.text("description_format", "markdown");
        draft.text("description", post.paragraphs.join("\n\n"));
    }
    if !post.fields.is_empty() {
        let fields = post.fields.into_iter();
        let fields = fields.map(|(name, value)| field(name, Json::Text(value.into())));
        draft.set("fields", Json::List(fields.collect()));
    }
    draft.maybe_text("url", post.url.map(Cow::Owned));
    if !post.links.is_empty() {
        let links = post.links.into_iter();
        let links = links.map(|(label, url)| action(label, url));
        draft.set("actions", Json::List(links.collect()));
    }
    draft.parsed(now)
}

/// The problem that a title names, and whether the post ends it.
#[derive(Clone, Copy)]
struct Problem<'t> {
    name: &'t str,
    is_over: bool,
}

impl<'t> Problem<'t> {
    /// Reads a title that says in brackets whether something fires or is resolved, as Alertmanager's own template does:
    /// `[FIRING:2] DiskFull db-1 (warning)`. The count changes, and so does what Alertmanager writes in parentheses at the end, or a severity that
    /// stands there; any other parenthesis belongs to the name. Only such a title ends a problem: nobody could say which problem any other good
    /// news ends.
    fn of(title: &'t str, url: Option<&str>) -> Option<Self> {
        let (state, rest) = title.trim_start().strip_prefix('[')?.split_once(']')?;
        let state = state.split(':').next().unwrap_or_default().trim();
        let is_over = match state.to_ascii_lowercase().as_str() {
            "firing" => false,
            "resolved" => true,
            _ => return None,
        };
        let is_alertmanagers = url.is_some_and(|url| url.contains("/#/alerts?receiver="));
        let rest = rest.trim();
        let common = rest
            .strip_suffix(')')
            .and_then(|rest| rest.rsplit_once('('))
            .filter(|(_, inside)| is_alertmanagers || severity_of(inside).is_some());
        let name = match common {
            // A group that is made by no label has nothing but those that all of its alerts have.
            Some((before, inside)) if before.trim().is_empty() => inside.trim(),
            Some((before, _)) => before.trim(),
            None => rest,
        };
        (!name.is_empty()).then_some(Self { name, is_over })
    }
}
