//! The platform's users. Its gateway has authenticated them, and names them in a header that nobody else can set.

use alert_connectors::{
    Caller, Email, Freshness, Identity, IdentityError, Role, Space, User, UserId,
};
use async_trait::async_trait;
use http::HeaderMap;

/// Ada, who edits, and Grace, who reads.
pub(crate) struct PlatformUsers {
    users: Vec<(User, Role)>,
}

impl PlatformUsers {
    pub(crate) fn new() -> Self {
        // Ids stay the same from start to start: a platform derives them from those of its users.
        let user = |(number, name, role): (u8, &str, Role)| {
            let user = User {
                id: UserId::from_bytes([number; 16]),
                email: Email::parse(&format!("{name}@platform.example")).ok()?,
                full_name: name.to_owned(),
            };
            Some((user, role))
        };
        let users = [(1, "ada", Role::Editor), (2, "grace", Role::Viewer)];
        Self {
            users: users.into_iter().filter_map(user).collect(),
        }
    }

    fn find(&self, name: &str) -> Option<&(User, Role)> {
        self.users.iter().find(|(user, _)| user.full_name == name)
    }
}

#[async_trait]
impl Identity for PlatformUsers {
    async fn caller(
        &self,
        headers: &HeaderMap,
        _freshness: Freshness,
    ) -> Result<Caller, IdentityError> {
        let name = headers.get("x-platform-user");
        let name = name.and_then(|name| name.to_str().ok());
        let (user, _) = name
            .and_then(|name| self.find(name))
            .ok_or(IdentityError::Unauthenticated)?;
        Ok(Caller {
            user: user.clone(),
            is_operator: false,
            memberships: Vec::new(),
            key: None,
            // The header is true now, so nothing has to be checked again when the store accepts.
            version: None,
            expires_at: None,
            ip_address: None,
        })
    }

    async fn role(&self, caller: &Caller, _space: &Space) -> Result<Option<Role>, IdentityError> {
        Ok(self.find(&caller.user.full_name).map(|(_, role)| *role))
    }
}
