//! Service `Account`.

use super::status::status;
use crate::handle::Handle;
use crate::v1::{self, account_server};
use tonic::{Request, Response, Status};

pub(super) struct Account(pub Handle);

#[tonic::async_trait]
impl account_server::Account for Account {
    async fn me(&self, _: Request<v1::MeRequest>) -> Result<Response<v1::Me>, Status> {
        let me = self.0.me().await.map_err(status)?;
        let (network_id, network) = me.network.map(|(id, name)| (id.to_string(), name)).unwrap_or_default();
        Ok(Response::new(v1::Me {
            account: me.account.to_string(),
            device: me.device.to_string(),
            name: me.name,
            network,
            network_id,
        }))
    }
}
