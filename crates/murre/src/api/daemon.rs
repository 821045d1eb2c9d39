//! Service `Daemon`.

use super::status::status;
use crate::handle::Handle;
use crate::v1::{self, daemon_server};
use murre_device::DeviceStatus;
use murre_device::query::Quota;
use tonic::{Request, Response, Status};

pub(super) struct Daemon(pub Handle);

#[tonic::async_trait]
impl daemon_server::Daemon for Daemon {
    async fn doctor(&self, _: Request<v1::DoctorRequest>) -> Result<Response<v1::Doctor>, Status> {
        let device = self.0.status_of_device().await.map_err(status)?;
        let facts = self.0.facts();
        let quotas = self.0.quotas(&device).await.map_err(status)?;
        let (mut counters, listen) = self.0.numbers();
        counters.extend(device_numbers(&device));
        Ok(Response::new(v1::Doctor {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            home: facts.home.display().to_string(),
            protection: facts.protection.word().to_owned(),
            protected_at_rest: facts.protection.at_rest(),
            profile: facts.profile.to_owned(),
            network: device.client.network.map(|(_, name)| name).unwrap_or_default(),
            nodes_known: device.client.nodes_known as u64,
            nodes_eligible: device.client.eligible as u64,
            small_network: device.client.small,
            reachable: device.client.reachable,
            links: device.client.links as u64,
            listen,
            counters: counters.into_iter().map(|(name, value)| v1::Counter { name, value }).collect(),
            quotas: quotas
                .into_iter()
                .map(|Quota { name, used, limit }| v1::Quota { name: name.to_owned(), used, limit })
                .collect(),
        }))
    }

    async fn wipe(&self, _: Request<v1::WipeRequest>) -> Result<Response<v1::Done>, Status> {
        self.0.wipe().await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }
}

fn device_numbers(device: &DeviceStatus) -> Vec<(String, u64)> {
    let client = &device.client;
    let numbers = [
        ("device.in_flight", device.in_flight),
        ("device.live_contacts", device.live),
        ("client.avoided", client.avoided),
        ("client.puts", client.puts),
        ("client.puts_queued", client.puts_queued),
        ("client.watches", client.watches),
        ("client.careful_owed", client.careful_owed),
        ("client.inflight", client.inflight),
    ];
    let files = [
        ("files.chunks_sent", device.files.sent),
        ("files.chunks_stored", device.files.stored),
        ("files.chunks_twice", device.files.twice),
        ("files.chunks_refused", device.files.refused),
        ("files.mailing", device.files.mailing),
    ];
    let numbers = numbers.map(|(name, value)| (name, value as u64));
    numbers.into_iter().chain(files).map(|(name, value)| (name.to_owned(), value)).collect()
}
