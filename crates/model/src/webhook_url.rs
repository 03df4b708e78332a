//! A webhook URL: checked as it was typed, kept byte for byte, and never shown past its host.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

use crate::{AddressPolicy, ConnectorType, FaultKind, Secret};

/// The longest URL, in characters (`spec`: 2,048; Workflows URLs exceed 255).
const CHARS_MAX: usize = 2_048;

/// A webhook URL whose syntax is sound. Where it may lead is checked by `UrlRules`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    typed: Secret,
    host: WebhookHost,
    port: u16,
    /// Where the path begins in what was typed.
    target_at: usize,
}

/// Where a webhook URL leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WebhookHost {
    /// A name to be looked up: lower case, ASCII, without a trailing dot.
    Name(String),
    /// An address, however it was spelled.
    Address(IpAddr),
}

/// A keyed digest of a webhook URL, made by the store. Equal URLs have equal ones, and that is all it tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "#{:02x}{:02x}{:02x}{:02x}",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

/// What is wrong with a webhook URL.
pub(crate) type UrlFault = (FaultKind, String);

impl WebhookUrl {
    /// Reads a URL as it was typed, or returns the first reason why it can't be one.
    pub fn parse(typed: &str) -> Result<Self, UrlFault> {
        let bad = |msg: &str| (FaultKind::BadUrl, msg.to_owned());
        check_characters(typed)?;
        let rest = typed.strip_prefix("https://").ok_or_else(|| {
            (
                FaultKind::NotHttps,
                "webhook_url must begin with https://, in lower case.".to_owned(),
            )
        })?;
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_end);
        if authority.is_empty() {
            return Err(bad("webhook_url has no host after https://."));
        }
        if authority.contains('@') {
            return Err(bad("webhook_url must not hold a user name or password."));
        }
        if target.contains('#') {
            return Err(bad("webhook_url must not have a fragment (#…)."));
        }
        if let Some(odd) = target
            .chars()
            .find(|c| !c.is_ascii() || matches!(c, '<' | '>' | '"' | '`' | '^'))
        {
            return Err(bad(&format!(
                "Write {odd:?} in percent-encoded form after the host."
            )));
        }
        // The library's parser sees only the authority, so that nothing of the path can reach an error.
        let url = Url::parse(&format!("https://{authority}/"))
            .map_err(|error| bad(&format!("webhook_url has no usable host: {error}.")))?;
        let port = url.port_or_known_default().filter(|port| *port != 0);
        let port = port.ok_or_else(|| bad("webhook_url must not name port 0."))?;
        let host = match url.host() {
            Some(Host::Domain(name)) => WebhookHost::Name(checked_name(name)?),
            Some(Host::Ipv4(address)) => WebhookHost::Address(address.into()),
            Some(Host::Ipv6(address)) => WebhookHost::Address(address.into()),
            None => return Err(bad("webhook_url has no host after https://.")),
        };
        let target_at = "https://".len() + authority_end;
        Ok(Self {
            typed: Secret::new(typed),
            host,
            port,
            target_at,
        })
    }

    /// Where it leads.
    pub const fn host(&self) -> &WebhookHost {
        &self.host
    }

    /// The port, 443 where none was typed.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL as typed. A secret.
    pub fn expose(&self) -> &str {
        self.typed.expose()
    }

    /// Path and query as typed, byte for byte; they begin with `/` or `?` or are empty. A secret.
    pub fn expose_target(&self) -> &str {
        self.expose().get(self.target_at..).unwrap_or_default()
    }

    /// `https://HOST/…`, for those who may not see more.
    pub fn masked(&self) -> String {
        format!("https://{}/…", self.authority())
    }

    /// Whether a text is what [`masked`](Self::masked) makes of a URL.
    pub fn is_masked(text: &str) -> bool {
        text.ends_with("/…")
    }

    /// The host and, where it is not 443, the port: the `Host` header.
    pub fn authority(&self) -> String {
        match self.port {
            443 => self.host.to_string(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Checks what needs no look-up: literal and local hosts, other platforms, workflow URLs.
    pub(crate) fn check(
        &self,
        connector_type: ConnectorType,
        policy: &AddressPolicy,
        own_names: &[String],
    ) -> Result<(), UrlFault> {
        if !self.host.permitted_at_once(policy, own_names) {
            let msg = "webhook_url leads to an address that is not public. \
                       The operator can allow its network with --allow-network.";
            return Err((FaultKind::NotPublic, msg.to_owned()));
        }
        if let Some(fault) = self.link_to_a_page() {
            return Err(fault);
        }
        match (self.host.known_platform(), connector_type) {
            (Some(ConnectorType::Slack), ConnectorType::Teams) => {
                Err((FaultKind::WrongPlatform, wrong_platform("Slack", "slack")))
            }
            (Some(ConnectorType::Teams), ConnectorType::Slack) => Err((
                FaultKind::WrongPlatform,
                wrong_platform("Microsoft Teams", "teams"),
            )),
            (Some(ConnectorType::Slack), _) if self.is_slack_workflow() => {
                let msg = "This is a Slack workflow URL (/triggers/ or /workflows/). It starts a workflow and cannot \
                           show alerts. In Slack, create an app, switch on Incoming Webhooks, add a webhook to the \
                           channel, and use its URL, which begins with https://hooks.slack.com/services/.";
                Err((FaultKind::SlackWorkflow, msg.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// A link to a channel, a chat or a page of Slack or Teams, which people copy in place of the webhook's URL.
    fn link_to_a_page(&self) -> Option<UrlFault> {
        let WebhookHost::Name(host) = &self.host else {
            return None;
        };
        let path = self.expose_target();
        let is_teams = matches!(
            host.as_str(),
            "teams.microsoft.com"
                | "teams.live.com"
                | "teams.cloud.microsoft"
                | "gov.teams.microsoft.us"
        );
        let is_slack = host == "app.slack.com"
            || host == "slack.com"
            || (host.ends_with(".slack.com") || host.ends_with(".slack-gov.com"))
                && (path.starts_with("/archives/") || path.starts_with("/client/"));
        let msg = if is_teams {
            "This is a link to a channel, chat or page of Teams, not a webhook. In Teams, open the channel's menu, choose \
             Workflows and the template \"Send webhook alerts to a channel\", and paste the URL that it shows at the end."
        } else if is_slack && !path.starts_with("/api/") {
            "This is a link to a channel or page of Slack, not a webhook. In Slack, create an app, switch on Incoming \
             Webhooks, add a webhook to the channel, and use its URL, which begins with https://hooks.slack.com/services/."
        } else {
            return None;
        };
        Some((FaultKind::BadUrl, msg.to_owned()))
    }

    fn is_slack_workflow(&self) -> bool {
        let path = self.expose_target();
        path.starts_with("/triggers/") || path.starts_with("/workflows/")
    }
}

fn wrong_platform(platform: &str, connector_type: &str) -> String {
    format!("This is a {platform} URL; set connector_type to \"{connector_type}\".")
}

fn check_characters(typed: &str) -> Result<(), UrlFault> {
    let bad = |msg: &str| Err((FaultKind::BadUrl, msg.to_owned()));
    let count = typed.chars().count();
    if count > CHARS_MAX {
        let msg = format!("webhook_url has {count} characters; at most {CHARS_MAX} are allowed.");
        return Err((FaultKind::TooLong, msg));
    }
    if WebhookUrl::is_masked(typed) {
        return bad(
            "This is the masked form of a URL, which shows only its host. Paste the whole URL.",
        );
    }
    if typed.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return bad("webhook_url must not hold spaces, line breaks or control characters.");
    }
    if typed.contains('\\') {
        return bad("webhook_url must not hold a backslash; write https://… with plain slashes.");
    }
    Ok(())
}

/// A host name in its normal form, within the limits of RFC 1035 §2.3.4.
fn checked_name(name: &str) -> Result<String, UrlFault> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > 253 {
        return Err((
            FaultKind::BadUrl,
            "The host of webhook_url must have 1 to 253 characters.".to_owned(),
        ));
    }
    if name
        .split('.')
        .any(|label| label.is_empty() || label.len() > 63)
    {
        let msg = "Each part of the host of webhook_url must have 1 to 63 characters.";
        return Err((FaultKind::BadUrl, msg.to_owned()));
    }
    Ok(name.to_owned())
}

impl WebhookHost {
    /// Whether the host is allowed as far as it can be told without a look-up.
    fn permitted_at_once(&self, policy: &AddressPolicy, own_names: &[String]) -> bool {
        match self {
            Self::Address(address) => policy.permits(*address),
            Self::Name(name) => {
                let local = name == "localhost"
                    || name.ends_with(".localhost")
                    || own_names.iter().any(|own| own.eq_ignore_ascii_case(name));
                !local || policy.permits(IpAddr::from([127, 0, 0, 1]))
            }
        }
    }

    /// The platform that is known to own the host; the lists stand in the platforms' documentation
    /// (Slack: incoming webhooks and GovSlack; Microsoft: `ip-address-configuration.md`, Teams connectors).
    pub fn known_platform(&self) -> Option<ConnectorType> {
        const SLACK: [&str; 2] = ["slack.com", "slack-gov.com"];
        const TEAMS: [&str; 12] = [
            "webhook.office.com",
            "outlook.office.com",
            "outlook.office365.com",
            "logic.azure.com",
            "logic.azure.us",
            "logic.azure.cn",
            "api.powerplatform.com",
            "api.gov.powerplatform.microsoft.us",
            "api.high.powerplatform.microsoft.us",
            "api.appsplatform.us",
            "api.powerplatform.partner.microsoftonline.cn",
            "environment.api.powerplatform.com",
        ];
        let Self::Name(name) = self else { return None };
        let under = |domain: &str| {
            name.strip_suffix(domain)
                .is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        if SLACK.iter().any(|domain| under(domain)) {
            Some(ConnectorType::Slack)
        } else if TEAMS.iter().any(|domain| under(domain)) {
            Some(ConnectorType::Teams)
        } else {
            None
        }
    }
}

impl fmt::Display for WebhookHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}/…)", self.authority())
    }
}

/// A pattern of `--allow-host` or `--no-proxy`: a name, or `*.` and a name for everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!(
                "{text:?} is no host pattern; write hooks.slack.com or *.example.com"
            ));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// Whether the pattern names this host.
    pub fn matches(&self, host: &WebhookHost) -> bool {
        let host = host.to_string();
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(typed: &str) -> FaultKind {
        WebhookUrl::parse(typed).unwrap_err().0
    }

    fn refusal(typed: &str) -> Option<FaultKind> {
        let url = WebhookUrl::parse(typed).unwrap();
        let policy = AddressPolicy::default();
        url.check(ConnectorType::Slack, &policy, &["myhost".to_owned()])
            .err()
            .map(|fault| fault.0)
    }

    #[test]
    fn links_to_channels_and_pages_are_refused_with_the_way_to_the_webhook() {
        for (typed, words) in [
            (
                "https://teams.microsoft.com/l/channel/19%3Aabc/General?groupId=1",
                "Workflows",
            ),
            ("https://teams.microsoft.com/l/chat/0/0", "Workflows"),
            ("https://acme.slack.com/archives/C0123", "Incoming Webhooks"),
            ("https://app.slack.com/client/T0/C0", "Incoming Webhooks"),
        ] {
            let url = WebhookUrl::parse(typed).unwrap();
            for connector_type in ConnectorType::ALL {
                let checked = url.check(connector_type, &AddressPolicy::default(), &[]);
                let (kind, msg) = checked.unwrap_err();
                assert_eq!(kind, FaultKind::BadUrl, "{typed}");
                assert!(msg.contains(words), "{msg}");
            }
        }
        assert_eq!(refusal("https://hooks.slack.com/services/T/B/x"), None);
    }

    #[test]
    fn the_query_is_kept_byte_for_byte() {
        let typed = "https://Prod-1.Logic.Azure.COM:443/workflows/x?sp=%2Ftriggers%2f'&sig=a{b}|c~";
        let url = WebhookUrl::parse(typed).unwrap();
        assert_eq!(
            url.expose_target(),
            "/workflows/x?sp=%2Ftriggers%2f'&sig=a{b}|c~"
        );
        assert_eq!(url.authority(), "prod-1.logic.azure.com");
        assert_eq!(format!("{url:?}"), "WebhookUrl(prod-1.logic.azure.com/…)");
    }

    #[test]
    fn malformed_urls_are_refused_not_repaired() {
        assert_eq!(
            fault("http://hooks.slack.com/services/x"),
            FaultKind::NotHttps
        );
        for bad in [
            "https:///host",
            "https://",
            "https://a b/",
            " https://a/",
            "https://a/\n",
            "https:\\\\a/",
            "https://a\\b/",
            "https://u@a/",
            "https://u:p@a/",
            "https://a/#f",
            "https://a#f",
            "https://a:0/",
            "https://a:99999/",
            "https://a..b/",
            "https://./",
            "https://hooks.slack.com/…",
            "https://a/ü",
            "https://a/<x>",
            "https://[::1/",
            "https://999.1.1.1/",
            "https://%00/",
        ] {
            assert_eq!(fault(bad), FaultKind::BadUrl, "{bad}");
        }
        assert_eq!(
            fault(&format!("https://{}.example/", "a".repeat(64))),
            FaultKind::BadUrl
        );
        assert_eq!(
            fault(&format!("https://a/{}", "x".repeat(2_048))),
            FaultKind::TooLong
        );
    }

    #[test]
    fn private_addresses_are_found_in_any_spelling() {
        for private in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://0x7f.1/",
            "https://127.0.0.1./",
            "https://１２７.0.0.1/",
            "https://127。0。0。1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[2001::1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://MyHost/",
            "https://10.0.0.1:8443/",
        ] {
            assert_eq!(refusal(private), Some(FaultKind::NotPublic), "{private}");
        }
        assert_eq!(refusal("https://1.1.1.1/"), None);
        assert_eq!(refusal("https://bücher.example/"), None);
    }

    #[test]
    fn the_other_platforms_urls_and_workflows_are_told_apart() {
        assert_eq!(
            refusal("https://x.webhook.office.com/webhookb2/y"),
            Some(FaultKind::WrongPlatform)
        );
        assert_eq!(
            refusal("https://default1.2.environment.api.powerplatform.com:443/p"),
            Some(FaultKind::WrongPlatform)
        );
        assert_eq!(
            refusal("https://hooks.slack.com/triggers/T/1/a"),
            Some(FaultKind::SlackWorkflow)
        );
        assert_eq!(
            refusal("https://hooks.slack.com/workflows/T/A/1/a"),
            Some(FaultKind::SlackWorkflow)
        );
        assert_eq!(refusal("https://hooks.slack.com/services/new-url"), None);
        assert_eq!(refusal("https://evilslack.com/triggers/x"), None);
    }

    #[test]
    fn host_patterns_match_a_name_or_what_is_below_it() {
        let host = WebhookHost::Name("hooks.slack.com".to_owned());
        assert!(HostPattern::parse("*.slack.com").unwrap().matches(&host));
        assert!(
            HostPattern::parse("hooks.slack.com")
                .unwrap()
                .matches(&host)
        );
        assert!(!HostPattern::parse("slack.com").unwrap().matches(&host));
        assert!(
            !HostPattern::parse("*.hooks.slack.com")
                .unwrap()
                .matches(&host)
        );
        assert!(HostPattern::parse("https://x").is_err());
    }
}
