//! Users, tokens, keys, spaces and members.

use alert_connectors_model::{self as model, KeyScope, Role, User};
use utoipa::ToSchema;

use super::{answers, pages, schemas};

schemas! {
    /// An e-mail address and a password.
    #[schema(example = json!({"email": "alice@example.com", "password": "correct horse battery staple"}))]
    SignIn {
        /// The e-mail address, in any case.
        email: String,
        /// The password: at most 1,024 bytes.
        password: String,
    }
    /// A space to be made.
    NewSpace {
        /// Its name in addresses.
        #[schema(pattern = "^[a-z0-9-]{1,63}$")]
        slug: String,
        /// Its name for people: 1 to 120 characters after trimming, none of them a control character.
        #[schema(min_length = 1)]
        name: String,
    }
    /// The role that a member is to have.
    MemberRole {
        /// What the member may do.
        role: Role,
        /// The name of someone who is no user yet; left out for what stands before the @.
        #[schema(nullable = false)]
        full_name: Option<String>,
    }
    /// A user to be made.
    NewAccount {
        /// The e-mail address that the user signs in with.
        email: String,
        /// The user's name for people: 1 to 120 characters after trimming, none of them a control character.
        #[schema(min_length = 1)]
        full_name: String,
        /// Whether the user creates spaces and enters all of them; false if left out.
        #[schema(nullable = false)]
        is_operator: Option<bool>,
    }
    /// A change of a user.
    AccountChange {
        /// Whether the user is locked out.
        is_disabled: bool,
    }
    /// A new name of a space.
    SpaceName {
        /// Its name for people: 1 to 120 characters after trimming, none of them a control character.
        #[schema(min_length = 1)]
        name: String,
    }
    /// An invitation that is used.
    AcceptedInvitation {
        /// The token of the invitation.
        token: String,
        /// The password to set: at least 8 characters, at most 1,024 bytes.
        #[schema(min_length = 8)]
        password: String,
    }
    /// A change of one's own password.
    PasswordChange {
        /// The password that is good now.
        current_password: String,
        /// The password to set: at least 8 characters, at most 1,024 bytes.
        #[schema(min_length = 8)]
        new_password: String,
    }
    /// A key to be made.
    NewApiKey {
        /// Its name for people: 1 to 120 characters after trimming, none of them a control character.
        #[schema(min_length = 1)]
        name: String,
        /// The slug of the only space that it is to open; left out or null for all that its user may enter.
        space: Option<String>,
        /// `all` if left out.
        scope: Option<KeyScope>,
        /// When it ends by itself: a time to come. Never if left out or null.
        #[schema(format = DateTime)]
        expires_at: Option<String>,
    }
}

/// What every API key of an answer has, and what this one has besides.
macro_rules! api_key {
    ($(#[$meta:meta])* $name:ident { $($more:tt)* }) => { answers! {
        $(#[$meta])*
        $name {
            /// Names the key.
            #[schema(value_type = String, format = "uuid")]
            id: model::KeyId,
            /// Its name for people.
            #[schema(min_length = 1, max_length = 120)]
            name: String,
            /// The slug of the only space that it opens; null for all that its user may enter.
            #[schema(required)]
            space: Option<String>,
            /// What it may do.
            scope: KeyScope,
            /// When it was made.
            #[schema(format = DateTime)]
            created_at: String,
            /// When it ends by itself.
            #[schema(required, format = DateTime)]
            expires_at: Option<String>,
            /// When it was used last, to the minute or so; null if it never was.
            #[schema(required, format = DateTime)]
            last_used_at: Option<String>,
            $($more)*
        }
    } };
}

api_key! {
    /// An API key, without the key itself.
    ApiKey {}
}

api_key! {
    /// An API key with the key itself, which is shown this once.
    NewApiKeyShown {
        /// The key, for `Authorization: Bearer`.
        key: String,
    }
}

answers! {
    /// The ways to sign in.
    SignInMethods {
        /// Whether with e-mail and password.
        password: bool,
        /// Where a browser goes to sign in at another service, if one is set up.
        single_sign_on: Option<&'static str>,
    }
    /// A session token.
    Token<'t> {
        /// The token, for `Authorization: Bearer`.
        #[schema(value_type = String)]
        access_token: &'t str,
        /// Always `bearer`.
        #[schema(value_type = String)]
        token_type: &'static str,
        /// When it ends by itself.
        #[schema(format = DateTime)]
        expires_at: String,
        /// Who signed in.
        #[schema(value_type = User)]
        user: &'t model::User,
    }
    /// The caller.
    Me<'m> {
        /// Who calls.
        #[schema(value_type = User)]
        user: &'m model::User,
        /// The spaces that the caller may enter.
        spaces: Vec<Space>,
    }
    /// A space that one may enter.
    Space {
        /// Names the space.
        #[schema(value_type = String, format = "uuid")]
        id: model::SpaceId,
        /// Its name in addresses.
        #[schema(value_type = String, pattern = "^[a-z0-9-]{1,63}$")]
        slug: model::Slug,
        /// Its name for people.
        #[schema(min_length = 1, max_length = 120)]
        name: String,
        /// The caller's role in it.
        role: Role,
        /// When it was made.
        #[schema(format = DateTime)]
        created_at: String,
    }
    /// A member of a space.
    Member {
        /// Who it is.
        #[schema(value_type = User)]
        user: model::User,
        /// What the member may do.
        role: Role,
        /// Since when.
        #[schema(format = DateTime)]
        added_at: String,
        /// For someone who was no user before: it is shown this once. Left out for everyone else.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        invitation: Option<Invitation>,
    }
    /// A user as operators see it.
    Account {
        /// Names the user.
        #[schema(value_type = String, format = "uuid")]
        id: model::UserId,
        /// The e-mail address that the user signs in with.
        email: String,
        /// The user's name for people.
        full_name: String,
        /// Whether the user creates spaces and enters all of them.
        is_operator: bool,
        /// Whether the user is locked out.
        is_disabled: bool,
        /// Whether the user can sign in with a password.
        has_password: bool,
        /// When the user was made.
        #[schema(format = DateTime)]
        created_at: String,
    }
    /// What lets a user set a password, once and for seven days. Give it to the user over a channel that nobody else reads.
    Invitation {
        /// The token.
        token: String,
        /// The page of the console that takes it; null where the service does not know its own address (`--public-url`).
        #[schema(required)]
        url: Option<String>,
        /// When it ends.
        #[schema(format = DateTime)]
        expires_at: String,
    }
    /// A user who was just made.
    InvitedAccount {
        /// The user.
        user: Account,
        /// The invitation.
        invitation: Invitation,
    }
    /// How many alerts were erased.
    ErasedAlerts {
        /// So many.
        count: usize,
    }
}

pages! {
    /// A page of users, by e-mail.
    AccountPage of Account;
    /// A page of spaces, by name.
    SpacePage of Space;
    /// A page of members, by e-mail address.
    MemberPage of Member;
    /// A page of keys, by name.
    ApiKeyPage of ApiKey;
}
