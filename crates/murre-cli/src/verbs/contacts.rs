//! `contact`, `accept`, `block`, `unblock`, `verify`, `rename`

use super::Session;
use crate::args::{Rename, Verify};
use crate::failure::Done;
use crate::{json, text};
use murre::v1::verify_request::Check;

pub(super) async fn add(session: &Session, link: String, hello: String) -> Done {
    let (change, name) = session
        .call(|client| async move {
            let change = client.contact_add(&link, &hello).await?;
            let all = client.contacts().await?;
            let name = all.into_iter().find(|c| c.contact == change.contact).map(|c| c.name);
            Ok((change, name.unwrap_or_default()))
        })
        .await?;
    session.out.show(&json::ContactChange::from(&change), |style| text::contact_added(style, &change, &name))
}

pub(super) async fn list(session: &Session) -> Done {
    let contacts = session.call(|client| async move { client.contacts().await }).await?;
    for contact in &contacts {
        session.out.show(&json::Contact::from(contact), |style| text::contact_row(style, contact))?;
    }
    if contacts.is_empty() {
        session.out.words(|_| text::nothing("contacts"))?;
    }
    Ok(())
}

pub(super) async fn accept(session: &Session, contact: String) -> Done {
    let change = session.call(|client| async move { client.accept(&contact).await }).await?;
    session.out.show(&json::ContactChange::from(&change), |style| text::contact_changed(style, &change))
}

pub(super) async fn block(session: &Session, contact: String) -> Done {
    let change = session.call(|client| async move { client.block(&contact).await }).await?;
    session.out.show(&json::ContactChange::from(&change), |style| text::contact_changed(style, &change))
}

pub(super) async fn unblock(session: &Session, contact: String) -> Done {
    let change = session.call(|client| async move { client.unblock(&contact).await }).await?;
    session.out.show(&json::ContactChange::from(&change), |style| text::contact_changed(style, &change))
}

pub(super) async fn verify(session: &Session, args: Verify) -> Done {
    let check = args.number.map(Check::Number).or(args.qr.map(Check::Code));
    let check = check.or(args.clear.then_some(Check::Clear(true)));
    let asked = check.is_some();
    let contact = args.contact;
    let safety = session.call(|client| async move { client.verify(&contact, check).await }).await?;
    session.out.show(&json::Safety::from(&safety), |style| text::safety(style, &safety, asked))?;
    if !asked {
        let code = super::invite::draw(&safety.code)?;
        session.out.words(|_| code)?;
    }
    Ok(())
}

pub(super) async fn rename(session: &Session, args: Rename) -> Done {
    let (contact, name) = (args.contact, args.name.clone());
    let change = session.call(|client| async move { client.rename(&contact, &name).await }).await?;
    session.out.show(&json::ContactChange::from(&change), |_| text::renamed(&args.name))
}
