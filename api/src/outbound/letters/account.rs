//! Letters about accounts: rows of `outgoing_mail` that the edge writes, with everything in them sealed.

use std::sync::Arc;

use domain::value::{Sealed, Time};
use serde::Deserialize;
use store::{rfc3339, vault::Vault};

use super::{Letter, LetterError, LookUpError, templates};

/// What the kinds of such letters begin with.
pub const ACCOUNT: &str = "account.";

/// A row as it was taken over: recipient and payload are sealed under the subject's key.
#[derive(Deserialize)]
struct Row {
    subject: Arc<str>,
    recipient: Arc<str>,
    payload: Arc<str>,
}

/// What the letter says, opened. Not to be kept, logged or shown.
#[derive(Default, Deserialize)]
struct Values {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
}

/// A letter about an account, opened.
pub struct AccountLetter {
    /// Where it goes.
    pub to: String,
    values: Values,
}

/// What was found.
pub enum Opened {
    /// The letter.
    Letter(AccountLetter),
    /// There is nobody to tell, or nothing to be told any more, and why.
    Nobody(&'static str),
}

impl AccountLetter {
    /// Opens a row.
    ///
    /// # Errors
    /// As [`LookUpError`] says.
    pub async fn open(row: &str, vault: &Vault, now: Time) -> Result<Opened, LookUpError> {
        let Row { subject, recipient, payload } =
            serde_json::from_str(row).map_err(|_| LookUpError::Contact)?;
        let sealed = |sealed| Sealed { subject: subject.clone(), sealed };
        let (to, values) = (vault.open(&sealed(recipient)).await?, vault.open(&sealed(payload)).await?);
        let Some((to, values)) = to.zip(values) else {
            return Ok(Opened::Nobody("the person is forgotten"));
        };
        let to = String::from_utf8(to.into()).map_err(|_| LookUpError::Contact)?;
        let values: Values = serde_json::from_slice(&values).map_err(|_| LookUpError::Contact)?;
        let until = values.expires_at.as_deref().and_then(|text| rfc3339::parse(text).ok());
        if until.is_some_and(|until| until <= now) {
            return Ok(Opened::Nobody("its token is of no use any more"));
        }
        Ok(Opened::Letter(Self { to, values }))
    }

    /// The letter of a kind; `None` when there is none of that name. `front` is where the shop's pages are.
    ///
    /// # Errors
    /// When a template cannot be filled.
    pub fn letter(&self, kind: &str, shop: &str, front: Option<&str>) -> Result<Option<Letter>, LetterError> {
        let (subject, lines, page): (_, &[&str], _) = match kind {
            "account.verify_email" => (
                "please confirm your e-mail address",
                &[
                    "Please confirm that this is your e-mail address.",
                    "If you did not ask for an account, do nothing: without it, nothing happens.",
                ],
                Some("verify-email"),
            ),
            "account.reset_password" => (
                "choose a new password",
                &[
                    "Somebody, probably you, wants to choose a new password for your account.",
                    "If it was not you, do nothing: your password stays as it is.",
                ],
                Some("reset-password"),
            ),
            "account.known_email" => (
                "you have an account already",
                &[
                    "Somebody, probably you, wanted to open an account with this e-mail address. There is one already.",
                    "If you do not know its password any more, ask for a new one where you log in.",
                ],
                None,
            ),
            "account.password_changed" => (
                "your password was changed",
                &[
                    "The password of your account was changed, and all other sessions have ended.",
                    "If it was not you, ask for a new password at once where you log in, and tell us.",
                ],
                None,
            ),
            _ => return Ok(None),
        };
        // A token is letters, digits and a few signs that stand in a URL as they are.
        let token = self.values.token.as_deref().filter(|_| page.is_some());
        let link = front.zip(page).zip(token);
        let link = link
            .map(|((front, page), token)| format!("{}/{page}?token={token}", front.trim_end_matches('/')));
        let code = token.filter(|_| link.is_none());
        templates::account(shop, subject, lines, (link.as_deref(), code)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_letter_and_a_token_is_a_link_where_there_are_pages() {
        let values = Values { token: Some("tok-EN_1".into()), expires_at: None };
        let opened = AccountLetter { to: "ada@example.com".into(), values };
        for kind in ["account.verify_email", "account.reset_password"] {
            let letter = opened.letter(kind, "Shop", Some("https://shop.example/")).unwrap().unwrap();
            let link = "https://shop.example/";
            assert!(letter.text.contains(link) && letter.text.contains("?token=tok-EN_1"), "{}", letter.text);
            assert!(letter.html.contains("?token=tok-EN_1\">"), "{}", letter.html);
            let letter = opened.letter(kind, "Shop", None).unwrap().unwrap();
            assert!(letter.text.contains("Your code: tok-EN_1") && !letter.text.contains("http"));
        }
        for kind in ["account.known_email", "account.password_changed"] {
            let letter = opened.letter(kind, "Shop", Some("https://shop.example")).unwrap().unwrap();
            assert!(!letter.text.contains("tok-EN_1") && letter.subject.starts_with("Shop: "));
        }
        assert_eq!(opened.letter("account.other", "Shop", None).unwrap(), None);
    }
}
