//! The end of `demo::store`: what is only known when the talk is over. Counters of rooms, who has read how far, who
//! was seen when, and what has nothing to do with the talk.

use rand::Rng;

use super::correspondence;
use super::rooms::{Member, Room};
use super::rows::Rows;
use super::sentences::skewed;
use super::store::{Store, TOGETHER};
use super::talk::Talk;
use super::{Site, interests::Interest};
use crate::error::Result;
use crate::rooms::Kind;

impl<F: Fn(u64)> Store<'_, F> {
    /// The numbers and the time of each room's last message, and who wrote after they were seen.
    pub(super) async fn counters(&mut self, talk: &Talk) -> Result<()> {
        for (number, rooms) in talk.site.rooms.chunks(TOGETHER).enumerate() {
            let mut rows = Rows::new();
            for (place, room) in (number * TOGETHER..).zip(rooms) {
                if let Some(at) = room.last_message_at {
                    rows.push([self.ids.room(place as u32).into(), i64::from(room.last_seq).into(), at.into()]);
                }
            }
            let mut tx = self.app.db.write().await?;
            let changes = "last_seq = v.column2, last_rev = v.column2, last_message_at = v.column3";
            rows.update(&mut tx, "rooms", changes).await?;
            self.commit(tx, 0).await?;
        }
        for (number, spoke) in talk.spoke.chunks(TOGETHER).enumerate() {
            let mut rows = Rows::new();
            for (place, at) in (number * TOGETHER..).zip(spoke) {
                if let Some(at) = at {
                    rows.push([self.ids.user(place as u32).into(), (*at).into()]);
                }
            }
            let mut tx = self.app.db.write().await?;
            let later =
                "last_seen_at = case when users.last_seen_at > v.column2 then users.last_seen_at else v.column2 end";
            rows.update(&mut tx, "users", later).await?;
            self.commit(tx, 0).await?;
        }
        Ok(())
    }

    pub(super) async fn memberships(&mut self, site: &Site) -> Result<()> {
        let mut rows = Rows::new();
        for (number, room) in (0_u32..).zip(&site.rooms) {
            for (place, member) in room.members.iter().enumerate() {
                rows.push([
                    self.ids.room(number).into(),
                    self.ids.user(member.user).into(),
                    if place == 0 { "owner" } else { "member" }.into(),
                    self.read(room, member, place).into(),
                    self.rng.random_ratio(1, 25).into(),
                    (room.kind == Kind::Direct).into(),
                    site.rhythm.at(member.joined).into(),
                ]);
                if rows.len() == TOGETHER {
                    self.store_memberships(std::mem::replace(&mut rows, Rows::new())).await?;
                }
            }
        }
        self.store_memberships(rows).await
    }

    async fn store_memberships(&mut self, rows: Rows<7>) -> Result<()> {
        let count = rows.len();
        let mut tx = self.app.db.write().await?;
        rows.insert(&mut tx, "memberships (room_id, user_id, role, last_read_seq, muted, notify_all, joined_at)")
            .await?;
        self.commit(tx, count).await?;
        self.made.memberships += count as u64;
        Ok(())
    }

    /// Most have read everything or nearly, some come by rarely.
    fn read(&mut self, room: &Room, member: &Member, place: usize) -> i64 {
        // Who joined after the last conversation began found everything there.
        let certain = if place < room.present { member.read } else { room.last_seq };
        let left = (room.last_seq - certain) as usize;
        let unread = match self.rng.random_range(0..100) {
            0..55 => 0,
            55..85 => skewed(&mut self.rng, left.min(60) + 1),
            _ => self.rng.random_range(0..=left),
        };
        i64::from(room.last_seq) - unread as i64
    }

    /// Interests, e-mails and tokens.
    pub(super) async fn rest(&mut self, site: &Site) -> Result<()> {
        for interests in site.interests.chunks(TOGETHER) {
            let mut rows = Rows::new();
            for Interest { sender, recipient, note, status, created, decided } in interests {
                rows.push([
                    self.ids.user(*sender).into(),
                    self.ids.user(*recipient).into(),
                    (*note).into(),
                    (*status).into(),
                    site.rhythm.at(*created).into(),
                    decided.map(|moment| site.rhythm.at(moment)).into(),
                ]);
            }
            let mut tx = self.app.db.write().await?;
            rows.insert(&mut tx, "interests (sender_id, recipient_id, note, status, created_at, decided_at)").await?;
            self.commit(tx, 0).await?;
        }
        let mut tx = self.app.db.write().await?;
        let letters = correspondence::store(&mut tx, &mut self.rng, site, self.ids.users).await?;
        self.commit(tx, 0).await?;
        self.made.others += site.interests.len() as u64 + letters;
        Ok(())
    }
}
