//! Blinded mailboxes: locators, boxes, receipts, placement
