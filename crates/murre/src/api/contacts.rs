//! Service `Contacts`.

use super::convert;
use super::status::status;
use crate::handle::Handle;
use crate::v1::{self, contacts_server};
use murre_device::LinkKind;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// Longest wait for a door to be stored, ms.
const MAX_WAIT_MS: u32 = 60_000;

pub(super) struct Contacts(pub Handle);

#[tonic::async_trait]
impl contacts_server::Contacts for Contacts {
    async fn invite(&self, request: Request<v1::InviteRequest>) -> Result<Response<v1::Invite>, Status> {
        let v1::InviteRequest { name, wait_ms, public, fresh } = request.into_inner();
        let kind = match (public, fresh) {
            (false, _) => LinkKind::Personal,
            (true, false) => LinkKind::Public,
            (true, true) => LinkKind::NewPublic,
        };
        let wait = Duration::from_millis(wait_ms.min(MAX_WAIT_MS).into());
        let invite = self.0.invite(name, kind, wait).await.map_err(status)?;
        Ok(Response::new(convert::invite(invite)))
    }

    async fn invites(&self, _: Request<v1::InvitesRequest>) -> Result<Response<v1::InviteList>, Status> {
        let invites = self.0.invites().await.map_err(status)?;
        Ok(Response::new(v1::InviteList { invites: invites.into_iter().map(convert::invite).collect() }))
    }

    async fn withdraw(&self, request: Request<v1::WithdrawRequest>) -> Result<Response<v1::Done>, Status> {
        self.0.withdraw(request.into_inner().link).await.map_err(status)?;
        Ok(Response::new(v1::Done {}))
    }

    async fn add(&self, request: Request<v1::AddRequest>) -> Result<Response<v1::ContactChange>, Status> {
        let v1::AddRequest { link, hello } = request.into_inner();
        let change = self.0.add(&link, hello).await.map_err(status)?;
        Ok(Response::new(convert::change(change)))
    }

    async fn accept(
        &self,
        request: Request<v1::ContactRequest>,
    ) -> Result<Response<v1::ContactChange>, Status> {
        let change = self.0.accept(request.into_inner().contact).await.map_err(status)?;
        Ok(Response::new(convert::change(change)))
    }

    async fn block(
        &self,
        request: Request<v1::ContactRequest>,
    ) -> Result<Response<v1::ContactChange>, Status> {
        let change = self.0.block(request.into_inner().contact).await.map_err(status)?;
        Ok(Response::new(convert::change(change)))
    }

    async fn unblock(
        &self,
        request: Request<v1::ContactRequest>,
    ) -> Result<Response<v1::ContactChange>, Status> {
        let change = self.0.unblock(request.into_inner().contact).await.map_err(status)?;
        Ok(Response::new(convert::change(change)))
    }

    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Result<Response<v1::Safety>, Status> {
        let v1::VerifyRequest { contact, check } = request.into_inner();
        let safety = self.0.verify(contact, check.and_then(convert::check)).await.map_err(status)?;
        Ok(Response::new(convert::safety(safety)))
    }

    async fn rename(
        &self,
        request: Request<v1::RenameRequest>,
    ) -> Result<Response<v1::ContactChange>, Status> {
        let v1::RenameRequest { contact, name } = request.into_inner();
        let change = self.0.rename(contact, name).await.map_err(status)?;
        Ok(Response::new(convert::change(change)))
    }

    async fn list(&self, _: Request<v1::ContactsRequest>) -> Result<Response<v1::ContactList>, Status> {
        let contacts = self.0.contacts().await.map_err(status)?;
        Ok(Response::new(v1::ContactList { contacts: contacts.into_iter().map(convert::contact).collect() }))
    }
}
