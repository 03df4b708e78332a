//! What this service keeps of people whom an issuer vouches for: a user, and memberships of the spaces that rules name.

use std::sync::Arc;

use alert_connectors_model::{AuditAction, AuthMethod, Clock, Random, Role, Slug, User, UserId};
use alert_connectors_store::{
    Actor, AuditEntry, AuditSink, Mandate, MemberChange, NewUser, Session, Store, StoreError,
    Subject,
};

use crate::{NewUsers, Person};

pub(crate) struct Accounts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) new_users: NewUsers,
    pub(crate) audit_sink: Arc<dyn AuditSink>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Accounts {
    /// The user that a person is, with the memberships that the claims say. Nothing if the user is disabled, or is none
    /// and does not become one.
    pub(crate) async fn admit(&self, person: &Person) -> Result<Option<Session>, StoreError> {
        let mut found = self.store.session_of(&person.email).await?;
        if found.is_none() && self.new_users == NewUsers::Create {
            self.create(person).await?;
            found = self.store.session_of(&person.email).await?;
        }
        let Some(session) = found else {
            return Ok(None);
        };
        let mut is_changed = false;
        for (slug, role) in &person.roles {
            is_changed |= self.set_role(person, &session, slug, *role).await?;
        }
        if is_changed {
            return self.store.session_of(&person.email).await;
        }
        Ok(Some(session))
    }

    /// Makes the user, unless there is one, who is then disabled.
    async fn create(&self, person: &Person) -> Result<(), StoreError> {
        let now = self.clock.now();
        let new = NewUser {
            user: User {
                id: UserId::new(now, &*self.random),
                email: person.email.clone(),
                full_name: person.name.clone(),
            },
            password_hash: None,
            is_operator: false,
            created_at: now,
        };
        let entry = self.entry(person, AuditAction::UserCreated);
        let store = self.leaving(entry);
        store.add_user(new).await.map(drop)
    }

    /// An entry about what the claims of a person change here.
    fn entry(&self, person: &Person, action: AuditAction) -> AuditEntry {
        let actor = Actor {
            email: Some(person.email.to_string()),
            auth_method: AuthMethod::SingleSignOn,
            name: None,
            ip_address: None,
        };
        let subject = Subject::named(person.email.as_str());
        AuditEntry::new(self.clock.now(), actor, action, subject)
    }

    fn leaving(&self, entry: AuditEntry) -> Arc<dyn Store> {
        let sink = Arc::clone(&self.audit_sink);
        self.store.on_behalf(Mandate::leaving(entry, Some(sink)))
    }

    /// Gives the person the role in a space, or takes it away. Says whether something changed.
    async fn set_role(
        &self,
        person: &Person,
        session: &Session,
        slug: &Slug,
        role: Option<Role>,
    ) -> Result<bool, StoreError> {
        let Some(space) = self.store.space(slug).await? else {
            return Ok(false);
        };
        let current = session.memberships.iter();
        let current = current.clone().find(|(id, _)| *id == space.id);
        if current.map(|(_, role)| *role) == role {
            return Ok(false);
        }
        let email = &person.email;
        let action = match role {
            Some(_) => AuditAction::MemberSet,
            None => AuditAction::MemberRemoved,
        };
        let word = |role: Role| role.as_str().into();
        let entry = self
            .entry(person, action)
            .within(space.id, slug.clone())
            .changing("role", current.map(|(_, role)| word(*role)), role.map(word));
        let store = self.leaving(entry);
        let changed = match role {
            Some(role) => {
                let now = self.clock.now();
                store.set_member(space.id, email, role, now).await?
            }
            None => store.remove_member(space.id, email).await?,
        };
        if matches!(changed, MemberChange::LastAdmin) {
            tracing::warn!(
                space = %slug,
                "the claims of the last admin give up the role; it stays, since the space would have no admin"
            );
        }
        Ok(matches!(
            changed,
            MemberChange::Added(_) | MemberChange::Changed(_) | MemberChange::Removed
        ))
    }
}
