//! `doctor`: how everything is.

use super::Session;
use crate::failure::Done;
use crate::{json, text};
use murre::{Client, ClientError};

pub(super) async fn run(session: &Session) -> Done {
    let home = session.home()?;
    match Client::connect(&home).await {
        Ok(client) => {
            let doctor = client.doctor().await.map_err(super::refused)?;
            session.out.show(&running(&doctor), |style| text::doctor::running(style, &doctor))
        }
        Err(ClientError::NotRunning { .. }) => {
            let version = env!("CARGO_PKG_VERSION");
            let exists = murre::home::exists(&home);
            let protection = murre::home::protection(&home).ok();
            let line = json::Doctor {
                version: version.to_owned(),
                home: home.display().to_string(),
                exists,
                protection: protection.map(|by| by.word().to_owned()),
                protected_at_rest: protection.map(|by| by.at_rest()),
                ..json::Doctor::default()
            };
            session.out.show(&line, |style| {
                let protection = protection.map(|by| (by.word(), by.at_rest()));
                text::doctor::offline(style, version, &home, exists, protection)
            })
        }
        Err(error) => Err(super::refused(error)),
    }
}

fn running(doctor: &murre::v1::Doctor) -> json::Doctor {
    let d = doctor.clone();
    json::Doctor {
        version: d.version,
        home: d.home,
        exists: true,
        running: true,
        protection: Some(d.protection),
        protected_at_rest: Some(d.protected_at_rest),
        profile: Some(d.profile),
        network: Some(d.network).filter(|name| !name.is_empty()),
        nodes_known: Some(d.nodes_known),
        nodes_eligible: Some(d.nodes_eligible),
        small_network: Some(d.small_network),
        reachable: Some(d.reachable),
        links: Some(d.links),
        listen: d.listen,
        counters: d.counters.into_iter().map(|counter| (counter.name, counter.value)).collect(),
        quotas: d
            .quotas
            .into_iter()
            .map(|quota| (quota.name, json::Quota { used: quota.used, limit: quota.limit }))
            .collect(),
    }
}
