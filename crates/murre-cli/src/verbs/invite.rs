//! `invite`

use super::Session;
use crate::args::{Invite, InviteVerb};
use crate::failure::{Done, Failure};
use crate::{json, text};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

pub(super) async fn run(session: &Session, args: Invite) -> Done {
    match args.verb {
        Some(InviteVerb::List) => list(session).await,
        Some(InviteVerb::Withdraw { link }) => withdraw(session, link).await,
        None => make(session, args).await,
    }
}

async fn make(session: &Session, args: Invite) -> Done {
    let Invite { qr, public, new, .. } = args;
    let busy = session.out.busy(text::INVITE_BUSY);
    let invite = session
        .call(|client| async move {
            if public { client.invite_public(None, new).await } else { client.invite(None).await }
        })
        .await?;
    drop(busy);
    session.out.show(&json::Invite::from(&invite), |style| text::invite(style, &invite))?;
    if qr {
        let code = draw(&invite.qr)?;
        session.out.words(|_| code)?;
    }
    Ok(())
}

/// Two modules per character; dark on light stays readable on a dark terminal because light is what is printed.
pub(super) fn draw(text: &str) -> Result<String, Failure> {
    let code = QrCode::new(text.as_bytes()).map_err(|error| Failure {
        kind: "bug".into(),
        ..Failure::caller(error.to_string(), text::HINT_BUG)
    })?;
    let image = code.render::<Dense1x2>();
    Ok(image_inverted(image))
}

fn image_inverted(mut image: qrcode::render::Renderer<'_, Dense1x2>) -> String {
    image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build()
}

async fn list(session: &Session) -> Done {
    let invites = session.call(|client| async move { client.invites().await }).await?;
    for invite in &invites {
        session.out.show(&json::Invite::from(invite), |style| text::invite_row(style, invite))?;
    }
    if invites.is_empty() {
        session.out.words(|_| text::nothing("invitations"))?;
    }
    Ok(())
}

async fn withdraw(session: &Session, link: String) -> Done {
    let gone = session
        .call(|client| async move {
            let before = client.invites().await?;
            client.withdraw(&link).await?;
            // It is still listed while its door is being shut, and says so.
            let after = client.invites().await?;
            let named = |i: &murre::v1::Invite| i.link == link || i.link_id.starts_with(&link);
            let gone = after.into_iter().find(named);
            let gone = gone.or_else(|| before.into_iter().find(named));
            Ok(murre::v1::Invite { withdrawn: true, ..gone.unwrap_or_default() })
        })
        .await?;
    session.out.show(&json::Invite::from(&gone), |_| text::withdrawn())
}
