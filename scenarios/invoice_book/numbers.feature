Feature: The numbers of invoices and credit notes

  Background:
    Given it is 2026-03-02T09:00:00Z

  Scenario: Invoices and credit notes share one row of numbers without a gap
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    And order "O1": Confirm
    And order "N1": IssueCreditNote {source: {import: C1}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    When invoice_book "2026": Issue {document: invoice, order: O1, total: 30.00 GBP, issued_at: now}
    Then Issued {number: 1, document: invoice, order: O1, total: 30.00 GBP, issued_at: now}
    When invoice_book "2026": Issue {document: credit_note, order: N1, total: 15.00 GBP, issued_at: now}
    Then Issued {number: 2, document: credit_note, order: N1, total: 15.00 GBP, issued_at: now}

  Scenario: Whoever asks again for a document that has its number takes none
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    And order "O1": Confirm
    And order "O2": Place {source: {cart: C2}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], placed_at: now}
    And order "O2": Confirm
    And invoice_book "2026": Issue {document: invoice, order: O1, total: 30.00 GBP, issued_at: now}
    When invoice_book "2026": Issue {document: invoice, order: O1, total: 30.00 GBP, issued_at: now + 1 day}
    Then nothing happens
    When invoice_book "2026": Issue {document: invoice, order: O2, total: 15.00 GBP, issued_at: now}
    Then Issued {number: 2, order: O2, ..}

  Scenario: The order learns its number from the book
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    And order "O1": Confirm
    When invoice_book "2026": Issue {document: invoice, order: O1, total: 30.00 GBP, issued_at: now}
    Then Issued
    And invoice_book "2026" wants order "O1": RecordInvoice {year: 2026, number: 1, issued_at: now}
    And invoice_book "2026" wants nothing more
    And eventually order "O1": Invoiced {year: 2026, number: 1, issued_at: now}
    And the order "O1" reads {invoice: {year: 2026, number: 1, ..}, ..}

  Scenario: A new year begins again with number one
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    And order "O1": Confirm
    And order "O2": Place {source: {cart: C2}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], placed_at: now}
    And order "O2": Confirm
    And invoice_book "2026": Issue {document: invoice, order: O1, total: 30.00 GBP, issued_at: now}
    When invoice_book "2027": Issue {document: invoice, order: O2, total: 15.00 GBP, issued_at: 2027-01-01T00:00:00Z}
    Then Issued {number: 1, order: O2, ..}
    And eventually order "O2": Invoiced {year: 2027, number: 1, ..}

  Scenario: A credit note of our own gets a number of the year in which it was issued
    Given it is 2026-12-31T23:59:59Z
    When order "N1": IssueCreditNote {source: {cart: C1}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    Then CreditNoteIssued
    And order "N1" wants invoice_book "2026": Issue {document: credit_note, order: N1, total: 15.00 GBP, issued_at: 2026-12-31T23:59:59Z}
    And eventually invoice_book "2026": Issued {number: 1, document: credit_note, order: N1, ..}
    When 1 second passes
    And order "N2": IssueCreditNote {source: {cart: C2}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    Then CreditNoteIssued
    And eventually invoice_book "2027": Issued {number: 1, document: credit_note, order: N2, ..}
    And eventually order "N2": Invoiced {year: 2027, number: 1, ..}

  Scenario: A credit note of another system keeps the number that it came with
    When order "N1": IssueCreditNote {source: {import: C536379}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    Then CreditNoteIssued
    And order "N1" wants nothing more
    And never invoice_book "2026": Issued

  Scenario: A book whose last number was given gives none twice
    Given order "N1": IssueCreditNote {source: {import: C1}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    And invoice_book "2026": Issued {number: 18446744073709551615, document: credit_note, order: N1, total: 15.00 GBP, issued_at: now}
    When invoice_book "2026": Issue {document: invoice, order: O2, total: 15.00 GBP, issued_at: now}
    Then refused: invoice.book_full
